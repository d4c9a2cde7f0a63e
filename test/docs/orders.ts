import pg from 'pg';
import type { Enumerator } from '../../lib/index.js';
import { createDatabase, type TestDatabase } from '../support/database.js';

/** The item of every example. */
export interface Order {
  readonly id: string | bigint;
}

/** What auto_explain reports of a statement. */
export interface Plan {
  readonly 'Node Type': string;
  readonly 'Index Cond'?: string;
  readonly 'Actual Rows': number;
  readonly Plans?: readonly Plan[];
}

/** A database with the table of docs/sources.md. */
export interface Orders {
  readonly pool: pg.Pool;
  /** The ids, in the order of the table's key. */
  readonly ids: readonly string[];
  /** The plans of the statements executed so far. */
  readonly plans: Plan[];
  drop(): Promise<void>;
}

/** PostgreSQL sends each plan as a notice, and formats times so that only PostgreSQL can read them. */
const SESSION = {
  session_preload_libraries: 'auto_explain',
  'auto_explain.log_min_duration': '0',
  'auto_explain.log_analyze': 'on',
  'auto_explain.log_level': 'notice',
  'auto_explain.log_format': 'json',
  DateStyle: 'German',
  TimeZone: 'Europe/Berlin',
};

/** Two or three rows share each 100 us, across the end of daylight saving. Ids are beyond 2^53. */
const INSERT = `
  INSERT INTO orders (id, created_at, customer) OVERRIDING SYSTEM VALUE
  SELECT 9007199254740992 + n, timestamptz '2026-10-25 00:59:59.996Z' + (n * 73 % $1) * 2 / 5 * interval '100 us', 'Ada'
  FROM generate_series(0, $1::bigint - 1) n ORDER BY 2`;

export async function createOrders({ rows, table }: { rows: number; table: string }): Promise<Orders> {
  const database = await createDatabase();
  await database.query(table);
  await database.query(INSERT, [rows]);
  await database.query('ANALYZE orders');
  const plans: Plan[] = [];
  const pool = poolOf(database, plans);
  return {
    pool,
    ids: Array.from({ length: rows }, (_, n) => ({ at: Math.floor((((n * 73) % rows) * 2) / 5), n }))
      .sort((one, other) => one.at - other.at || one.n - other.n)
      .map(({ n }) => String(2n ** 53n + BigInt(n))),
    plans,
    async drop() {
      await pool.end();
      await database.drop();
    },
  };
}

function poolOf({ url }: TestDatabase, plans: Plan[]): pg.Pool {
  const options = Object.entries(SESSION).map(([name, value]) => `-c ${name}=${value}`);
  const pool = new pg.Pool({ connectionString: url, max: 4, options: options.join(' ') });
  pool.on('error', () => {});
  pool.on('connect', (client) => {
    client.on('notice', ({ message = '' }) => {
      const [json] = /\{.*\}/s.exec(message) ?? [];
      if (json) plans.push((JSON.parse(json) as { Plan: Plan }).Plan);
    });
  });
  return pool;
}

/** The scan at the bottom of a plan. */
export function scanOf(plan: Plan): Plan {
  const [below] = plan.Plans ?? [];
  return below ? scanOf(below) : plan;
}

export async function idsOf(enumerator: Enumerator<Order>): Promise<string[]> {
  const ids: string[] = [];
  for await (const [{ id }] of enumerator) ids.push(String(id));
  return ids;
}
