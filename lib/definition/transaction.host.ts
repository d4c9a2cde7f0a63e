/** The job that a row is kept for: a removed job's id may come again, its timestamp does not. */
export interface CheckpointKey {
  readonly prefix: string;
  readonly queue: string;
  readonly jobId: string;
  /** BullMQ's: when the job was added, in milliseconds since 1970. */
  readonly jobTimestamp: number;
}

/** Who holds a row: no other run may write it. */
export interface Holder {
  /** How often the job was started anew after its end; 0 at first. */
  readonly life: number;
  /** 1 for the first run of that life. */
  readonly run: number;
}

/** What is committed. */
export interface Committed {
  /** What {@link TransactionHost.save} wrote last in this life of the job; `null`: nothing yet. */
  readonly document: string | null;
}

/**
 * Runs transactions of one database, and keeps a checkpoint there that commits together with what a handler writes
 * (R25). A row belongs to the run that claimed it last: what any other run would save is refused, so that its
 * transaction is rolled back.
 *
 * @typeParam Transaction What `context.transaction` is.
 */
export interface TransactionHost<Transaction> {
  /** Commits what `work` does when it resolves, and rolls it back when it rejects, with the same error. */
  run<Result>(work: (transaction: Transaction) => Promise<Result>): Promise<Result>;

  /**
   * Makes the job's row this run's, and creates it where there is none. A row of an earlier life is emptied.
   *
   * @returns undefined when a later run has the row.
   * @throws InvalidOptionsError when the table is missing, naming the migration.
   */
  claim(key: CheckpointKey, holder: Holder): Promise<Committed | undefined>;

  /**
   * Within `transaction`, as the last thing that it does: writes the document.
   *
   * @returns false when another run has the row, or it is gone: the transaction must be rolled back.
   */
  save(transaction: Transaction, place: { key: CheckpointKey; holder: Holder; document: string }): Promise<boolean>;

  /** What this run has committed: to be asked when a commit's answer was lost. Undefined when another run has the row. */
  read(key: CheckpointKey, holder: Holder): Promise<Committed | undefined>;

  /** Removes the row of a job that has ended, if this run has it. */
  remove(key: CheckpointKey, holder: Holder): Promise<void>;

  /** Lets an item that runs queries by itself, such as a query of TypeORM, run them in `transaction`. */
  adopt?(item: unknown, transaction: Transaction): void;

  /** Whether an error of {@link run} says that the same work may succeed at once: a deadlock, a serialization failure. */
  isTransient(error: unknown): boolean;
}
