import { createTable, dropTable } from '../table/index.js';
import { databaseOfTypeOrm, type TypeOrmOptions } from './typeorm.database.js';

/** A data source, as far as it is used. */
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

  /** Creates the table. */
  async up(runner: MigrationRunner): Promise<void> {
    const { dialect, schema } = databaseOfTypeOrm(optionsOf(runner), this.name);
    await runner.query(createTable(dialect, schema));
  }

  /** Drops the table. */
  async down(runner: MigrationRunner): Promise<void> {
    const { schema } = databaseOfTypeOrm(optionsOf(runner), this.name);
    await runner.query(dropTable(schema));
  }
}

function optionsOf(runner: MigrationRunner): TypeOrmOptions {
  return ('dataSource' in runner ? runner.dataSource : runner.connection).options;
}
