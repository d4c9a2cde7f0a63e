import type { Checkpoint, SavedProgress } from '../checkpoint/index.js';
import { isSameJson } from '../cursor.js';
import type { CheckpointKey, Holder, TransactionHost } from '../definition/index.js';

/** The part of a checkpoint that commits together with a handler's writes. */
export type CommittedDocument = SavedProgress & Pick<Checkpoint, 'state' | 'version' | 'letter' | 'stopped'>;

/** A job's row in the user's database, as one run holds it (R25). */
export class TransactionalCheckpoint {
  constructor(
    readonly host: TransactionHost<unknown>,
    private readonly key: CheckpointKey,
    private readonly holder: Holder,
  ) {}

  /** @returns what this generation of the job committed last; undefined when a later run has the row. */
  async acquire(): Promise<{ readonly document: CommittedDocument | null } | undefined> {
    const row = await this.host.claim(this.key, this.holder);
    return row && { document: row.document === null ? null : (JSON.parse(row.document) as CommittedDocument) };
  }

  /** @returns false when another run has the row: the transaction must be rolled back. */
  save(transaction: unknown, document: string): Promise<boolean> {
    return this.host.save(transaction, { key: this.key, holder: this.holder, document });
  }

  /** Whether a document is what was committed last; undefined when another run has the row. */
  async holds(document: string): Promise<boolean | undefined> {
    const row = await this.host.read(this.key, this.holder);
    return row && row.document === document;
  }

  /** The job has ended: removes the row, unless the row is ahead of the job's last checkpoint. */
  async remove({ cursor, processed, passed }: SavedProgress): Promise<void> {
    const row = await this.host.read(this.key, this.holder);
    if (!row) return;
    const document = row.document === null ? undefined : (JSON.parse(row.document) as CommittedDocument);
    const isSame =
      !document ||
      (document.passed === passed && document.processed === processed && isSameJson(document.cursor, cursor));
    if (isSame) await this.host.remove(this.key, this.holder);
  }
}
