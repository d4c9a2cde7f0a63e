import { type Command, Option } from 'commander';
import { createTable } from '../exactly-once/table/index.js';
import { IterationError } from '../iteration.errors.js';
import { loadOptional } from '../optional.package.js';
import { type Dialect, dialectOf } from '../sql.dialect.js';
import { BackendError, UsageError } from './failure.js';
import type { Print } from './output.js';

interface MigrateOptions {
  readonly url?: string;
  readonly schema?: string;
  readonly json?: boolean;
}

/** Runs one statement, on a connection of its own. */
type RunOne = (url: string, statement: string) => Promise<void>;

/** PostgreSQL's duplicate_table, and MySQL's. */
const THERE_ALREADY: readonly unknown[] = ['42P07', 'ER_TABLE_EXISTS_ERROR'];
const CONNECT_MS = 10_000;

/** Adds the commands for the table of exactly once. */
export function addDatabaseCommands(program: Command, print: Print): void {
  program
    .command('migrate')
    .description('Create the table of exactly once, iteration_checkpoint, in the database of the handlers.')
    .option('--url <url>', 'postgres://, mysql:// or mariadb:// (default: DATABASE_URL)')
    .option('--schema <schema>', 'the schema of the table in PostgreSQL (default: that of the connection)')
    .option('--json', 'print JSON, errors included')
    .addHelpText('after', '\nExamples:\n  $ nestjs-iteration migrate --url postgres://app@localhost/shop')
    .action(async (options: MigrateOptions) => {
      const isCreated = await migrate(options);
      const text = `The table iteration_checkpoint ${isCreated ? 'was created' : 'is there already'}.\n`;
      print({ json: { table: 'iteration_checkpoint', created: isCreated }, text }, options);
    });

  program
    .command('sql')
    .description('Print the SQL of that table, for a migration of your own.')
    .addOption(
      new Option('--dialect <dialect>', 'the database')
        .choices(['postgresql', 'mysql', 'sqlite'])
        .default('postgresql'),
    )
    .option('--schema <schema>', 'the schema of the table in PostgreSQL')
    .option('--json', 'print JSON, errors included')
    .addHelpText('after', '\nExamples:\n  $ nestjs-iteration sql --dialect mysql > create-table.sql')
    .action((options: MigrateOptions & { readonly dialect: Dialect }) => {
      const sql = `${tableOf(options.dialect, options.schema)};`;
      print({ json: { sql }, text: `${sql}\n` }, options);
    });
}

/** @returns false when the table is there already */
async function migrate({ schema, url: text = process.env.DATABASE_URL }: MigrateOptions): Promise<boolean> {
  const url = text && URL.canParse(text) ? new URL(text) : undefined;
  const dialect = url && dialectOf(url.protocol.slice(0, -1));
  if (!url || !dialect || dialect === 'sqlite') {
    throw new UsageError('migrate needs --url postgres://…, mysql://… or mariadb://…, or DATABASE_URL');
  }
  const runOne = dialect === 'postgresql' ? runOnPostgres : runOnMySql;
  try {
    await runOne(url.href, tableOf(dialect, schema));
    return true;
  } catch (error) {
    if (THERE_ALREADY.includes((error as { code?: unknown }).code)) return false;
    throw error instanceof IterationError ? error : new BackendError(url, error);
  }
}

/** @throws UsageError */
function tableOf(dialect: Dialect, schema: string | undefined): string {
  if (schema !== undefined && dialect !== 'postgresql') throw new UsageError('--schema is for PostgreSQL alone');
  return createTable(dialect, schema);
}

const runOnPostgres: RunOne = async (connectionString, statement) => {
  const { Client } = await loadOptional({ name: 'pg', feature: 'migrate' }, () => import('pg'));
  const client = new Client({ connectionString, connectionTimeoutMillis: CONNECT_MS });
  client.on('error', () => {}); // each call reports its own
  try {
    await client.connect();
    await client.query(statement);
  } finally {
    await client.end().catch(() => {});
  }
};

const runOnMySql: RunOne = async (url, statement) => {
  const { createConnection } = await loadOptional(
    { name: 'mysql2', feature: 'migrate' },
    () => import('mysql2/promise'),
  );
  const uri = url.replace(/^mariadb:/, 'mysql:');
  const client = await createConnection({ uri, connectTimeout: CONNECT_MS });
  try {
    await client.query(statement);
  } finally {
    await client.end().catch(() => {});
  }
};
