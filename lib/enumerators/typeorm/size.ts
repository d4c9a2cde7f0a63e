import { databaseOf } from './database.js';
import { copyOf, executorOf, givenRunner, mainOf, type Query } from './query.js';

/** How long a size is counted, in seconds, before it is estimated. */
const BOUND_S = 2;

/** How many entities a query has; see `TypeOrmEnumeratorBuilder.records` for what is bounded and how. */
export async function sizeOf(query: Query<unknown>): Promise<number | undefined> {
  switch (databaseOf(query.dataSource)?.name) {
    case 'postgres':
      // Counting for a while needs a transaction, and on a connection of the user's it would take the handler's writes in.
      return (givenRunner(query) ? undefined : await postgresCount(query)) ?? (await postgresEstimate(query));
    case 'mariadb':
      return (await mariaDbCount(query)) ?? (await mariaDbEstimate(query));
    case 'sqlite':
    case undefined:
      return copyOf(query).getCount();
  }
}

async function postgresCount(query: Query<unknown>): Promise<number | undefined> {
  const runner = query.dataSource.createQueryRunner('slave');
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

async function mariaDbCount(query: Query<unknown>): Promise<number | undefined> {
  const count = isJoined(query) ? `COUNT(DISTINCT ${primaryOf(query)})` : 'COUNT(*)';
  const [sql, parameters] = keysOf(query).select(`${count} AS count`).getQueryAndParameters();
  try {
    const rows = await executorOf(query).query(`SET STATEMENT max_statement_time = ${BOUND_S} FOR ${sql}`, parameters);
    return Number((rows as readonly { readonly count: unknown }[])[0]?.count);
  } catch (error) {
    if ((error as { driverError?: { errno?: unknown } }).driverError?.errno === STATEMENT_TIMEOUT) return undefined;
    throw error;
  }
}

const STATEMENT_TIMEOUT = 1969;

async function mariaDbEstimate(query: Query<unknown>): Promise<number | undefined> {
  if (isJoined(query)) return undefined;
  const [sql, parameters] = keysOf(query).getQueryAndParameters();
  const plan = (await executorOf(query).query(`EXPLAIN EXTENDED ${sql}`, parameters)) as readonly {
    readonly rows: unknown;
    readonly filtered: unknown;
  }[];
  const size = (Number(plan[0]?.rows) * Number(plan[0]?.filtered)) / 100;
  return plan.length === 1 && Number.isFinite(size) ? Math.round(size) : undefined;
}

function keysOf(query: Query<unknown>): Query<unknown> {
  return copyOf(query).select(primaryOf(query)).orderBy().setOption('disable-global-order');
}

function primaryOf(query: Query<unknown>): string {
  const { name, metadata } = mainOf(query);
  return metadata.primaryColumns
    .map(({ databaseName }) => `${query.escape(name)}.${query.escape(databaseName)}`)
    .join(', ');
}

function isJoined({ expressionMap }: Query<unknown>): boolean {
  return expressionMap.joinAttributes.length > 0;
}
