import { createTable, dropTable } from '../table/index.js';
import { databaseOfTypeOrm, type TypeOrmOptions } from './typeorm.database.js';

interface ConfiguredSource {
  readonly options: TypeOrmOptions;
}

/** The part of TypeORM's QueryRunner that is used. TypeORM 0.3 has `connection` for `dataSource`. */
export type MigrationRunner = { query(sql: string): Promise<unknown> } & (
  | { readonly dataSource: ConfiguredSource }
  | { readonly connection: ConfiguredSource }
);

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

function optionsOf(runner: MigrationRunner): TypeOrmOptions {
  return ('dataSource' in runner ? runner.dataSource : runner.connection).options;
}
