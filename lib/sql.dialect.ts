/**
 * The SQL that a database speaks; MariaDB's is MySQL's.
 *
 * A further database begins here, and the compiler names what it needs: for sources of TypeORM its properties, its catalogue
 * and its exact values (`enumerators/typeorm`: `database.ts`, `catalogue.*.ts`, `exact.*.ts`); for those of Prisma its
 * catalogue (`enumerators/prisma/table.ts`); for exactly once its statements (`exactly-once/table`).
 */
export type Dialect = 'postgresql' | 'mysql' | 'sqlite';

/** By the `type` of a TypeORM data source, and by the `provider` of a Prisma schema. */
const DIALECTS: Readonly<Record<string, Dialect>> = {
  postgres: 'postgresql',
  postgresql: 'postgresql',
  mariadb: 'mysql',
  mysql: 'mysql',
  'better-sqlite3': 'sqlite',
  sqlite: 'sqlite',
  sqljs: 'sqlite',
};

/** Undefined: a database that this library is not tested with. */
export function dialectOf(name: string): Dialect | undefined {
  return Object.hasOwn(DIALECTS, name) ? DIALECTS[name] : undefined;
}

/** The name of a schema, table or column as SQL has it. */
export function quoted(dialect: Dialect | undefined, name: string): string {
  const mark = dialect === 'mysql' ? '`' : '"';
  return `${mark}${name.replaceAll(mark, mark + mark)}${mark}`;
}
