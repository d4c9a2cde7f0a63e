import pg from 'pg';
import type { TestDatabase } from '../test/support/database.js';

export interface Entry {
  readonly id: number;
  readonly name: string;
  readonly at: Date;
}

export const PAGE = 1_000;

/** Creates a table of `rows` rows, with `id` from 1. */
export async function createEntries(database: TestDatabase, rows: number): Promise<void> {
  await database.query(
    `CREATE TABLE entry AS SELECT n::int AS id, 'name ' || n AS name, now() AS at FROM generate_series(1, ${rows}) n`,
  );
  await database.query('ALTER TABLE entry ADD PRIMARY KEY (id)');
  await database.query('VACUUM ANALYZE entry');
}

/** Reads the rows of that table page by page: a job and a bare loop use the same prepared statement. */
export class Entries {
  /** Number of queries so far. */
  queries = 0;
  readonly #pool: pg.Pool;

  constructor(databaseUrl: string, connections = 1) {
    this.#pool = new pg.Pool({ connectionString: databaseUrl, max: connections });
  }

  /** At most `limit` rows after the id `after`, up to the id `last`. */
  async page(after: number, { last, limit = PAGE }: { last: number; limit?: number }): Promise<readonly Entry[]> {
    this.queries++;
    const text = 'SELECT id, name, at FROM entry WHERE id > $1 AND id <= $2 ORDER BY id LIMIT $3';
    return (await this.#pool.query<Entry>({ name: 'page', text, values: [after, last, limit] })).rows;
  }

  /** The bare loop over the ids up to `last`. @returns the number of rows. */
  async over(last: number, handle: (entry: Entry) => void): Promise<number> {
    let count = 0;
    for (let after = 0; ; ) {
      const rows = await this.page(after, { last });
      for (const row of rows) {
        handle(row);
        count++;
      }
      if (rows.length < PAGE) return count;
      after = (rows[rows.length - 1] as Entry).id;
    }
  }

  close(): Promise<void> {
    return this.#pool.end();
  }
}
