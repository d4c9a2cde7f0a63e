import type { CheckpointKey, Committed, Holder } from '../../definition/index.js';
import { IterationError } from '../../iteration.errors.js';
import type { Dialect } from '../../sql.dialect.js';
import { checkKey } from './checkpoint.key.js';
import { isLockTimeout, isMissingSavepoint, isTransient, missingTable } from './database.errors.js';
import { compile, type Fragment, raw, type Statement, sql } from './statement.js';
import { tableName } from './table.js';

/** What runs statements: on any connection, each by itself, or in a transaction. */
export interface Executor {
  /** The rows that the statement returns. */
  rows(statement: Statement): Promise<readonly unknown[]>;
  /** How many rows the statement changed; it returns none. */
  affected(statement: Statement): Promise<number>;
}

/** A row, and who is to hold it. */
export interface Place {
  readonly key: CheckpointKey;
  readonly holder: Holder;
}

/** PostgreSQL ends a transaction that has saved and then is idle for so long: its process is frozen, and holds the row. */
const COMMIT_WITHIN_MS = 5_000;

/** Set first in a transaction and released by its save: where the server has rolled back by itself, it is gone. */
const SAVEPOINT = raw('iteration_transaction');

/** How often a statement is tried that a strict isolation level makes fail because of another. */
const TRIES = 10;

const NOW: Readonly<Record<Dialect, Fragment>> = {
  postgresql: raw('clock_timestamp()'),
  mysql: raw('utc_timestamp(6)'),
  sqlite: raw("strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"),
};

/** The statements over the table `iteration_checkpoint`; a host gives the connections. */
export class CheckpointTable {
  readonly #table: Fragment;
  readonly #now: Fragment;

  constructor(
    private readonly options: {
      readonly dialect: Dialect;
      readonly schema?: string | undefined;
      /** How its user makes the table, for error messages. */
      readonly migration: string;
    },
  ) {
    this.#table = raw(tableName(options.schema));
    this.#now = NOW[options.dialect];
  }

  async claim(executor: Executor, place: Place): Promise<Committed | undefined> {
    checkKey(place.key);
    const isMySql = this.options.dialect === 'mysql';
    return this.#tried(() => (isMySql ? this.#insertAndUpdate(executor, place) : this.#upsert(executor, place)));
  }

  /** Before what the user does in a transaction. PostgreSQL needs none: after an error it refuses all but a rollback. */
  async begin(executor: Executor): Promise<void> {
    if (this.options.dialect !== 'postgresql') await this.#affected(executor, sql`SAVEPOINT ${SAVEPOINT}`);
  }

  async save(executor: Executor, { document, ...place }: Place & { readonly document: string }): Promise<boolean> {
    const update = sql`
UPDATE ${this.#table} SET document = ${document}, updated_at = ${this.#now}
 WHERE ${isOf(place.key)} AND ${isHeldBy(place.holder)}`;
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

  /** Waits for whoever writes the row: a commit whose answer was lost may still be under way. */
  async read(executor: Executor, { key, holder }: Place): Promise<Committed | undefined> {
    const lock = raw(this.options.dialect === 'sqlite' ? '' : ' FOR UPDATE');
    const read = sql`SELECT document FROM ${this.#table} WHERE ${isOf(key)} AND ${isHeldBy(holder)}${lock}`;
    return this.#tried(async () => committed(await this.#rows(executor, read)));
  }

  async remove(executor: Executor, { key, holder }: Place): Promise<void> {
    const remove = sql`DELETE FROM ${this.#table} WHERE ${isOf(key)} AND ${isHeldBy(holder)}`;
    await this.#tried(() => this.#affected(executor, remove));
  }

  async #upsert(executor: Executor, { key, holder }: Place): Promise<Committed | undefined> {
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

  /** MySQL's ON DUPLICATE KEY UPDATE has no condition: a row that is there is left alone, a new one is below any run. */
  async #insertAndUpdate(executor: Executor, { key, holder }: Place): Promise<Committed | undefined> {
    await this.#affected(
      executor,
      sql`
INSERT INTO ${this.#table} (prefix, queue, job_id, job_timestamp, life, run, document, updated_at)
VALUES (${valuesOf(key)}, -1, 0, NULL, ${this.#now})
ON DUPLICATE KEY UPDATE life = life`,
    );
    // The columns are set from left to right: the document is chosen by the life before this one.
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
        'The database has ended the transaction by itself before it was committed: a statement failed in a way that rolls ' +
          'all back, such as a deadlock, and the handler went on; or it committed by itself, as before CREATE TABLE. ' +
          'Let such errors pass, and change no tables in a handler',
        { cause: error },
      );
    }
  }

  /** Each statement is atomic by itself, so that one which failed has done nothing. */
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
