import pg from 'pg';

/** Counts the statements that this process sends to PostgreSQL, over every pool and client of `pg`, until `restore`. */
export function countStatements(): { readonly count: number; restore(): void } {
  const { query } = pg.Client.prototype;
  let count = 0;
  pg.Client.prototype.query = function (this: pg.Client, ...args: unknown[]) {
    count++;
    return (query as (...given: unknown[]) => unknown).apply(this, args);
  } as typeof query;
  return {
    get count() {
      return count;
    },
    restore() {
      pg.Client.prototype.query = query;
    },
  };
}
