import { mariaDbTable } from './catalogue.mysql.js';
import { postgresTable } from './catalogue.postgresql.js';
import { sqliteTable } from './catalogue.sqlite.js';
import { databaseOf } from './database.js';
import { executorOf, mainOf, type Query } from './query.js';
import type { Table, TableQuery } from './table.js';
import { dataSourceOf } from './typeorm.workarounds.js';

/** Reads the catalogue, in one or two statements; undefined: it does not show such a table. */
export async function tableOf(query: Query<unknown>): Promise<Table | undefined> {
  const { metadata } = mainOf(query);
  const asked: TableQuery = {
    path: metadata.tablePath.split('.'),
    primary: metadata.primaryColumns.map(({ databaseName }) => databaseName),
    quote: (name) => query.escape(name),
    rows: async <Row>(sql: string, parameters: readonly unknown[]) =>
      (await executorOf(query).query(sql, [...parameters])) as readonly Row[],
  };
  switch (databaseOf(dataSourceOf(query))?.dialect) {
    case 'postgresql':
      return postgresTable(asked);
    case 'mysql':
      return mariaDbTable(asked);
    case 'sqlite':
      return sqliteTable(asked);
    case undefined:
      return undefined;
  }
}
