import type { Checkpoint, Progress } from '../checkpoint/index.js';
import { isSameJson } from '../cursor.js';
import type { CheckpointKey, Holder, TransactionHost } from '../definition/index.js';

/** What of a checkpoint commits together with a handler's writes. */
export type CommittedDocument = Pick<
  Checkpoint,
  'cursor' | 'processed' | 'skipped' | 'passed' | 'state' | 'version' | 'letter' | 'stopped'
>;

/** A job's row in the user's database, as one run holds it (R25). */
export class CommittedProgress {
  constructor(
    readonly host: TransactionHost<unknown>,
    private readonly key: CheckpointKey,
    private readonly holder: Holder,
  ) {}

  /** @returns what was committed in this life of the job; undefined when a later run has the row. */
  async claim(): Promise<{ readonly document: CommittedDocument | null } | undefined> {
    const claimed = await this.host.claim(this.key, this.holder);
    return (
      claimed && { document: claimed.document === null ? null : (JSON.parse(claimed.document) as CommittedDocument) }
    );
  }

  /** @returns false when another run has the row: the transaction must be rolled back. */
  save(transaction: unknown, document: string): Promise<boolean> {
    return this.host.save(transaction, { key: this.key, holder: this.holder, document });
  }

  /** Whether a document is what was committed last; undefined when another run has the row. */
  async holds(document: string): Promise<boolean | undefined> {
    const committed = await this.host.read(this.key, this.holder);
    return committed && committed.document === document;
  }

  /** The job has ended: the row goes, unless it is ahead of the checkpoint that says all from now on. */
  async remove({ cursor, processed, passed }: Progress): Promise<void> {
    const held = await this.host.read(this.key, this.holder);
    if (!held) return;
    const document = held.document === null ? undefined : (JSON.parse(held.document) as CommittedDocument);
    const same =
      !document ||
      (document.passed === passed && document.processed === processed && isSameJson(document.cursor, cursor));
    if (same) await this.host.remove(this.key, this.holder);
  }
}
