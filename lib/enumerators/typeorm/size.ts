import { databaseOf } from './database.js';
import { executorOf, primaryOf, type Query } from './query.js';
import { copyOf, dataSourceOf, givenRunner } from './typeorm.workarounds.js';
import { type ServerVersion, serverVersion } from './version.js';

/** How long a size is counted, in seconds, before it is estimated. */
const BOUND_S = 2;

/**
 * How many entities a query has; see `TypeOrmEnumeratorBuilder.records` for the limits.
 *
 * @param options.exact Whether an estimate is not enough: then the size is undefined if it cannot be counted in time.
 */
export async function sizeOf(query: Query<unknown>, options?: SizeOptions): Promise<number | undefined> {
  return (await countOf(query)) ?? (options?.exact ? undefined : estimateOf(query));
}

interface SizeOptions {
  readonly exact: boolean;
}

async function countOf(query: Query<unknown>): Promise<number | undefined> {
  switch (databaseOf(dataSourceOf(query))?.dialect) {
    case 'postgresql':
      // Counting with a time limit needs a transaction. On the user's connection it would include the handler's writes.
      return givenRunner(query) ? undefined : postgresCount(query);
    case 'mysql':
      return mariaDbCount(query, await mariaDbVersion(query));
    case 'sqlite':
    case undefined:
      return copyOf(query).getCount();
  }
}

async function estimateOf(query: Query<unknown>): Promise<number | undefined> {
  switch (databaseOf(dataSourceOf(query))?.dialect) {
    case 'postgresql':
      return postgresEstimate(query);
    case 'mysql':
      return mariaDbEstimate(query, await mariaDbVersion(query));
    case 'sqlite':
    case undefined:
      return undefined;
  }
}

async function postgresCount(query: Query<unknown>): Promise<number | undefined> {
  const runner = dataSourceOf(query).createQueryRunner('slave');
  try {
    await runner.startTransaction();
    try {
      await runner.query(`SET LOCAL statement_timeout = '${BOUND_S}s'`);
      return await copyOf(query).setQueryRunner(runner).getCount();
    } catch (error) {
      if ((error as { driverError?: { code?: unknown } }).driverError?.code === QUERY_CANCELED) return undefined;
      throw error;
    } finally {
      await runner.rollbackTransaction();
    }
  } finally {
    await runner.release();
  }
}

const QUERY_CANCELED = '57014';

async function postgresEstimate(query: Query<unknown>): Promise<number | undefined> {
  const keys = isJoined(query) ? keysOf(query).groupBy(primaryOf(query)) : keysOf(query);
  const [sql, parameters] = keys.getQueryAndParameters();
  const rows = (await executorOf(query).query(`EXPLAIN (FORMAT JSON) ${sql}`, parameters)) as readonly {
    readonly 'QUERY PLAN': readonly { readonly Plan: { readonly 'Plan Rows': number } }[];
  }[];
  return rows[0]?.['QUERY PLAN'][0]?.Plan['Plan Rows'];
}

async function mariaDbVersion(query: Query<unknown>): Promise<ServerVersion> {
  const rows = (await executorOf(query).query('SELECT VERSION() AS version')) as readonly {
    readonly version: string;
  }[];
  return serverVersion(rows[0]?.version ?? '');
}

/** MariaDB and MySQL have different syntax for a time limit. MySQL before 5.7 has none, and there nothing is counted. */
async function mariaDbCount(query: Query<unknown>, { isMariaDb, number }: ServerVersion): Promise<number | undefined> {
  if (!isMariaDb && number < 5.07) return undefined;
  const count = isJoined(query) ? `COUNT(DISTINCT ${primaryOf(query)})` : 'COUNT(*)';
  const [sql, parameters] = keysOf(query).select(`${count} AS count`).getQueryAndParameters();
  const bounded = isMariaDb
    ? `SET STATEMENT max_statement_time = ${BOUND_S} FOR ${sql}`
    : sql.replace(/^\s*SELECT/i, `SELECT /*+ MAX_EXECUTION_TIME(${BOUND_S * 1_000}) */`);
  try {
    const rows = await executorOf(query).query(bounded, parameters);
    return Number((rows as readonly { readonly count: unknown }[])[0]?.count);
  } catch (error) {
    if (TIMEOUTS.has((error as { driverError?: { errno?: unknown } }).driverError?.errno)) return undefined;
    throw error;
  }
}

/** MariaDB's and MySQL's error numbers. */
const TIMEOUTS = new Set<unknown>([1969, 3024]);

async function mariaDbEstimate(
  query: Query<unknown>,
  { isMariaDb, number }: ServerVersion,
): Promise<number | undefined> {
  if (isJoined(query)) return undefined;
  const [sql, parameters] = keysOf(query).getQueryAndParameters();
  const explain = isMariaDb || number < 5.07 ? 'EXPLAIN EXTENDED' : 'EXPLAIN';
  const plan = (await executorOf(query).query(`${explain} ${sql}`, parameters)) as readonly {
    readonly rows: unknown;
    readonly filtered: unknown;
  }[];
  const size = (Number(plan[0]?.rows) * Number(plan[0]?.filtered)) / 100;
  return plan.length === 1 && Number.isFinite(size) ? Math.round(size) : undefined;
}

function keysOf(query: Query<unknown>): Query<unknown> {
  return copyOf(query).select(primaryOf(query)).orderBy().setOption('disable-global-order');
}

function isJoined({ expressionMap }: Query<unknown>): boolean {
  return expressionMap.joinAttributes.length > 0;
}
