import { createTable, dropTable } from '../table/index.js';
import { databaseOfTypeOrm, type TypeOrmOptions } from './typeorm.database.js';

/** The part of TypeORM's QueryRunner that is used. */
export interface MigrationRunner {
  readonly dataSource?: { readonly options: TypeOrmOptions };
  /** TypeORM 0.3. */
  readonly connection?: { readonly options: TypeOrmOptions };
  query(sql: string): Promise<unknown>;
}

/** The TypeORM migration of the table `iteration_checkpoint`. List it in the data source's `migrations`. */
export class CreateIterationCheckpoint1795305600000 {
  readonly name = 'CreateIterationCheckpoint1795305600000';

  async up(runner: MigrationRunner): Promise<void> {
    const { dialect, schema } = databaseOfTypeOrm(optionsOf(runner), this.name);
    await runner.query(createTable(dialect, schema));
  }

  async down(runner: MigrationRunner): Promise<void> {
    const { schema } = databaseOfTypeOrm(optionsOf(runner), this.name);
    await runner.query(dropTable(schema));
  }
}

function optionsOf({ dataSource, connection }: MigrationRunner): TypeOrmOptions {
  return (dataSource ?? (connection as NonNullable<typeof connection>)).options;
}
