import type { CheckpointKey, Committed, Holder } from '../../definition/index.js';
import { IterationError } from '../../iteration.errors.js';
import type { Dialect } from '../../sql.dialect.js';
import { checkKey } from './checkpoint.key.js';
import { isLockTimeout, isMissingSavepoint, isTransient, missingTable } from './database.errors.js';
import { compile, type Fragment, raw, type Statement, sql } from './statement.js';
import { tableName } from './table.js';

/** Runs statements: each on any connection, or all in a transaction. */
export interface Executor {
  /** The rows that the statement returns. */
  rows(statement: Statement): Promise<readonly unknown[]>;
  /** How many rows the statement changed; it returns none. */
  affected(statement: Statement): Promise<number>;
}

/** A row, and the run that is to hold it. */
interface HeldRow {
  readonly key: CheckpointKey;
  readonly holder: Holder;
}

/** PostgreSQL ends a transaction that saved and is then idle for this long: its process is frozen, and holds the row. */
const COMMIT_WITHIN_MS = 5_000;

/** Set at the start of a transaction and released by its save. If the server rolled back itself, it no longer exists. */
const SAVEPOINT = raw('iteration_transaction');

/** How often a statement is tried that fails because of another one at a strict isolation level. */
const TRIES = 10;

const NOW: Readonly<Record<Dialect, Fragment>> = {
  postgresql: raw('clock_timestamp()'),
  mysql: raw('utc_timestamp(6)'),
  sqlite: raw("strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"),
};

/** The statements on the table `iteration_checkpoint`. A host provides the connections. */
export class CheckpointTable {
  readonly #table: Fragment;
  readonly #now: Fragment;

  constructor(
    private readonly options: {
      readonly dialect: Dialect;
      readonly schema?: string | undefined;
      /** How a user creates the table, for error messages. */
      readonly migration: string;
    },
  ) {
    this.#table = raw(tableName(options.schema));
    this.#now = NOW[options.dialect];
  }

  async claim(executor: Executor, row: HeldRow): Promise<Committed | undefined> {
    checkKey(row.key);
    const isMySql = this.options.dialect === 'mysql';
    return this.#tried(() => (isMySql ? this.#insertAndUpdate(executor, row) : this.#upsert(executor, row)));
  }

  /** Starts a user's transaction. PostgreSQL needs no savepoint: after an error it refuses everything but a rollback. */
  async begin(executor: Executor): Promise<void> {
    if (this.options.dialect !== 'postgresql') await this.#affected(executor, sql`SAVEPOINT ${SAVEPOINT}`);
  }

  async save(executor: Executor, { document, ...row }: HeldRow & { readonly document: string }): Promise<boolean> {
    const update = sql`
UPDATE ${this.#table} SET document = ${document}, updated_at = ${this.#now}
 WHERE ${isOf(row.key)} AND ${isHeldBy(row.holder)}`;
    switch (this.options.dialect) {
      case 'postgresql': {
        const saved = await this.#rows(
          executor,
          sql`
WITH saved AS (${update} RETURNING 1)
SELECT set_config('idle_in_transaction_session_timeout', ${String(COMMIT_WITHIN_MS)}, true) FROM saved`,
        );
        return saved.length > 0;
      }
      case 'sqlite':
        await this.#end(executor);
        return (await this.#rows(executor, sql`${update} RETURNING 1 AS saved`)).length > 0;
      case 'mysql':
        await this.#end(executor);
        return (await this.#affected(executor, update)) > 0;
    }
  }

  /** Waits for a transaction that writes the row: a commit without an answer may still be in progress. */
  async read(executor: Executor, { key, holder }: HeldRow): Promise<Committed | undefined> {
    const lock = raw(this.options.dialect === 'sqlite' ? '' : ' FOR UPDATE');
    const read = sql`SELECT document FROM ${this.#table} WHERE ${isOf(key)} AND ${isHeldBy(holder)}${lock}`;
    return this.#tried(async () => committed(await this.#rows(executor, read)));
  }

  async remove(executor: Executor, { key, holder }: HeldRow): Promise<void> {
    const remove = sql`DELETE FROM ${this.#table} WHERE ${isOf(key)} AND ${isHeldBy(holder)}`;
    await this.#tried(() => this.#affected(executor, remove));
  }

  async #upsert(executor: Executor, { key, holder }: HeldRow): Promise<Committed | undefined> {
    const rows = await this.#rows(
      executor,
      sql`
INSERT INTO ${this.#table} AS held (prefix, queue, job_id, job_timestamp, life, run, document, updated_at)
VALUES (${valuesOf(key)}, ${holder.life}, ${holder.run}, NULL, ${this.#now})
ON CONFLICT (prefix, queue, job_id, job_timestamp) DO UPDATE SET
  document = CASE WHEN held.life = excluded.life THEN held.document END,
  life = excluded.life, run = excluded.run, updated_at = excluded.updated_at
WHERE (held.life, held.run) < (excluded.life, excluded.run)
RETURNING document`,
    );
    return committed(rows);
  }

  /** MySQL's ON DUPLICATE KEY UPDATE has no condition: an existing row does not change, and a new one is below any run. */
  async #insertAndUpdate(executor: Executor, { key, holder }: HeldRow): Promise<Committed | undefined> {
    await this.#affected(
      executor,
      sql`
INSERT INTO ${this.#table} (prefix, queue, job_id, job_timestamp, life, run, document, updated_at)
VALUES (${valuesOf(key)}, -1, 0, NULL, ${this.#now})
ON DUPLICATE KEY UPDATE life = life`,
    );
    // MySQL sets the columns from left to right, so the document is chosen by the earlier life.
    const taken = await this.#affected(
      executor,
      sql`
UPDATE ${this.#table} SET
  document = CASE WHEN life = ${holder.life} THEN document END,
  life = ${holder.life}, run = ${holder.run}, updated_at = ${this.#now}
WHERE ${isOf(key)} AND (life < ${holder.life} OR (life = ${holder.life} AND run < ${holder.run}))`,
    );
    return taken > 0 ? this.read(executor, { key, holder }) : undefined;
  }

  async #end(executor: Executor): Promise<void> {
    try {
      await this.#affected(executor, sql`RELEASE SAVEPOINT ${SAVEPOINT}`);
    } catch (error) {
      if (!isMissingSavepoint(error)) throw error;
      throw new IterationError(
        'The database ended the transaction by itself before it was committed. Either a statement failed in a way that rolls ' +
          'everything back, such as a deadlock, and the handler continued; or a statement such as CREATE TABLE committed it. ' +
          'Do not catch such errors, and do not change tables in a handler',
        { cause: error },
      );
    }
  }

  /** Each statement is atomic, so a failed one has changed nothing. */
  async #tried<Result>(statement: () => Promise<Result>): Promise<Result> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await statement();
      } catch (error) {
        if (tries === TRIES || !isTransient(error) || isLockTimeout(error)) throw error;
      }
    }
  }

  #rows(executor: Executor, fragment: Fragment): Promise<readonly unknown[]> {
    return this.#named(executor.rows(compile(this.options.dialect, fragment)));
  }

  #affected(executor: Executor, fragment: Fragment): Promise<number> {
    return this.#named(executor.affected(compile(this.options.dialect, fragment)));
  }

  async #named<Result>(result: Promise<Result>): Promise<Result> {
    try {
      return await result;
    } catch (error) {
      throw missingTable(error, tableName(this.options.schema), this.options.migration) ?? error;
    }
  }
}

function isOf({ prefix, queue, jobId, jobTimestamp }: CheckpointKey): Fragment {
  return sql`prefix = ${prefix} AND queue = ${queue} AND job_id = ${jobId} AND job_timestamp = ${jobTimestamp}`;
}

function valuesOf({ prefix, queue, jobId, jobTimestamp }: CheckpointKey): Fragment {
  return sql`${prefix}, ${queue}, ${jobId}, ${jobTimestamp}`;
}

function isHeldBy({ life, run }: Holder): Fragment {
  return sql`life = ${life} AND run = ${run}`;
}

function committed([row]: readonly unknown[]): Committed | undefined {
  return row === undefined ? undefined : { document: (row as Committed).document };
}
