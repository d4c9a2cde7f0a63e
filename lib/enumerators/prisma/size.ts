import { setTimeout as delay } from 'node:timers/promises';
import type { ModelClient, OpenedModel } from './client.js';
import type { Where } from './compare.js';
import { tableOf } from './sql.js';

/** How long a count may take, in milliseconds. */
const PATIENCE_MS = 2_000;

const ESTIMATE = 'SELECT CAST(reltuples AS float8) AS rows FROM pg_class WHERE oid = CAST($1 AS regclass)';

/**
 * How many rows there are, within about two seconds. If counting takes longer: the estimate of PostgreSQL's planner for a
 * whole table, and undefined for a part of one.
 *
 * PostgreSQL cancels the count; waiting for a connection may take as long again. In three cases the count continues, and
 * its result is ignored: in the user's transaction, which a cancelled statement would end; through an extension of the
 * client, which may do anything; and in other databases.
 */
export async function sizeOf(
  opened: OpenedModel,
  where: Where = {},
  options?: { readonly exact: boolean },
): Promise<number | undefined> {
  const client = clientOf(opened);
  const count = opened.delegate.count({ where });
  if (!client) return inTime(count, PATIENCE_MS);
  const mayEstimate = !options?.exact && Object.keys(where).length === 0;
  const size = countInTime(client, count).then((rows) => rows ?? (mayEstimate ? estimate(opened) : undefined));
  return inTime(size, 2 * PATIENCE_MS);
}

/** The client, if it can open a transaction and the delegate has no extension. */
function clientOf({ delegate, model, isExtended }: OpenedModel): Required<ModelClient> | undefined {
  const client = delegate.$parent;
  return !isExtended && client.$transaction && model.dialect === 'postgresql'
    ? (client as Required<ModelClient>)
    : undefined;
}

async function countInTime(client: Required<ModelClient>, count: PromiseLike<number>): Promise<number | undefined> {
  const limit = client.$executeRawUnsafe(`SET LOCAL statement_timeout = ${PATIENCE_MS}`);
  try {
    const [, size] = await client.$transaction([limit, count]);
    return size as number;
  } catch (error) {
    if (isTimeout(error)) return undefined;
    throw error;
  }
}

/** PostgreSQL cancelled the statement. */
function isTimeout(error: unknown): boolean {
  const { meta } = error as { meta?: { driverAdapterError?: { cause?: { originalCode?: string } } } };
  return meta?.driverAdapterError?.cause?.originalCode === '57014';
}

async function inTime(size: PromiseLike<number | undefined>, ms: number): Promise<number | undefined> {
  const controller = new AbortController();
  const late = delay(ms, undefined, { signal: controller.signal }).catch(() => undefined);
  try {
    return await Promise.race([size, late]);
  } finally {
    controller.abort();
  }
}

/** A table that was never analyzed has -1. */
async function estimate(opened: OpenedModel): Promise<number | undefined> {
  const found = await opened.delegate.$parent.$queryRawUnsafe(ESTIMATE, tableOf(opened));
  const [table] = found as readonly { rows: number }[];
  return table && table.rows > 0 ? Math.round(table.rows) : undefined;
}
