import { describe } from '../../describe.js';
import { InvalidOptionsError } from '../../iteration.errors.js';
import type { Dialect } from '../../sql.dialect.js';
import { createTable, modelOf } from '../table/index.js';

/** The `provider` of the datasource in schema.prisma; MariaDB's is `mysql`. */
export type PrismaProvider = Exclude<Dialect, 'sqlite'>;

/** The SQL of the table `iteration_checkpoint`, for a `migration.sql` of Prisma's. */
export function prismaMigration(provider: PrismaProvider): string {
  return `${createTable(known(provider))};\n`;
}

/** The model of the table, for schema.prisma. Without it `prisma migrate` drops the table. */
export function prismaModel(provider: PrismaProvider): string {
  return modelOf(known(provider));
}

function known(provider: PrismaProvider): PrismaProvider {
  if (provider === 'postgresql' || provider === 'mysql') return provider;
  throw new InvalidOptionsError(
    `There is no migration for the provider ${describe(provider)}: exactly once with Prisma works on "postgresql" and "mysql"`,
  );
}
