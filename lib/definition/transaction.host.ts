/** The job of a row. The id of a removed job may be used again, its timestamp is not. */
export interface CheckpointKey {
  readonly prefix: string;
  readonly queue: string;
  readonly jobId: string;
  /** BullMQ's: when the job was added, in milliseconds since 1970. */
  readonly jobTimestamp: number;
}

/** The run that holds a row: no other run may write it. */
export interface Holder {
  /** How often the job was restarted after its end; 0 at first. */
  readonly life: number;
  /** 1 for the first run of that life. */
  readonly run: number;
}

/** The committed checkpoint. */
export interface Committed {
  /** The last document that {@link TransactionHost.save} wrote in this life of the job; `null`: none yet. */
  readonly document: string | null;
}

/**
 * Runs transactions of one database, and keeps a checkpoint there that commits together with a handler's writes
 * ([R25](docs/guarantees.md#r25)). A row belongs to the run that claimed it last. A save of any other run is refused, so that
 * its transaction is rolled back.
 *
 * @typeParam Transaction What `context.transaction` is.
 */
export interface TransactionHost<Transaction> {
  /** Commits the writes of `work` when it resolves. When it rejects, rolls them back and rejects with the same error. */
  run<Result>(work: (transaction: Transaction) => Promise<Result>): Promise<Result>;

  /**
   * Gives the job's row to this run, and creates it if there is none. The document of an earlier life is removed.
   *
   * @returns undefined if a later run holds the row.
   * @throws InvalidOptionsError that names the migration if the table is missing.
   */
  claim(key: CheckpointKey, holder: Holder): Promise<Committed | undefined>;

  /**
   * Writes the document within `transaction`, as its last statement.
   *
   * @returns false if another run holds the row, or the row is removed: the transaction must be rolled back.
   */
  save(transaction: Transaction, place: { key: CheckpointKey; holder: Holder; document: string }): Promise<boolean>;

  /** The checkpoint that this run committed, for a commit without an answer. Undefined if another run holds the row. */
  read(key: CheckpointKey, holder: Holder): Promise<Committed | undefined>;

  /** Removes the row of a job that has ended, if this run holds it. */
  remove(key: CheckpointKey, holder: Holder): Promise<void>;

  /** Makes an item that runs queries, such as a query of TypeORM, run them in `transaction`. */
  adopt?(item: unknown, transaction: Transaction): void;

  /** Whether {@link run} may succeed if it is retried at once after this error: a deadlock, a serialization failure. */
  isTransient(error: unknown): boolean;
}
