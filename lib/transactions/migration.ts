import { InvalidOptionsError } from '../iteration.errors.js';
import { createTable, type Dialect, dropTable, modelOf } from './table.js';
import { databaseOfTypeOrm, type TypeOrmOptions } from './typeorm.database.js';

/** What is used of TypeORM's QueryRunner. */
export interface MigrationRunner {
  readonly dataSource: { readonly options: TypeOrmOptions };
  query(sql: string): Promise<unknown>;
}

/** The TypeORM migration of the table `iteration_checkpoint`: list it in the data source's `migrations`. */
export class CreateIterationCheckpoint1795305600000 {
  readonly name = 'CreateIterationCheckpoint1795305600000';

  async up(runner: MigrationRunner): Promise<void> {
    const { dialect, schema } = databaseOfTypeOrm(runner.dataSource.options, this.name);
    await runner.query(createTable(dialect, schema));
  }

  async down(runner: MigrationRunner): Promise<void> {
    const { schema } = databaseOfTypeOrm(runner.dataSource.options, this.name);
    await runner.query(dropTable(schema));
  }
}

/** The `provider` of the datasource in schema.prisma; MariaDB's is `mysql`. */
export type PrismaProvider = Exclude<Dialect, 'sqlite'>;

/** The SQL of the table `iteration_checkpoint`: the text of a `migration.sql` of Prisma's. */
export function prismaMigration(provider: PrismaProvider): string {
  return `${createTable(known(provider))};\n`;
}

/** The model of the table, for schema.prisma: with it `prisma migrate` does not want to drop the table. */
export function prismaModel(provider: PrismaProvider): string {
  return modelOf(known(provider));
}

function known(provider: PrismaProvider): PrismaProvider {
  if (provider === 'postgresql' || provider === 'mysql') return provider;
  throw new InvalidOptionsError(
    `There is no migration for the provider ${JSON.stringify(provider)}: exactly once with Prisma works on "postgresql" and "mysql"`,
  );
}
