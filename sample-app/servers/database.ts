import { readFile } from 'node:fs/promises';
import pg from 'pg';

/** The sample's own schema, so that the database of DATABASE_URL keeps its other tables. */
export const DATA_SCHEMA = 'iteration_sample';
/** BullMQ's schema, when the queue is in the database too. */
export const QUEUE_SCHEMA = 'iteration_sample_queue';

/** Set by the environment, or by `main.ts` when it starts the embedded server. */
export function databaseUrl(): string {
  const url = process.env.DATABASE_URL;
  if (!url) throw new Error('DATABASE_URL is not set');
  return url;
}

/** Creates the missing tables; `fresh` first drops the tables and the queue of earlier runs. */
export async function prepareDatabase({ fresh }: { fresh: boolean }): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl() });
  await client.connect();
  try {
    if (fresh) await client.query(`DROP SCHEMA IF EXISTS ${DATA_SCHEMA}, ${QUEUE_SCHEMA} CASCADE`);
    await client.query(`CREATE SCHEMA IF NOT EXISTS ${DATA_SCHEMA}; SET search_path TO ${DATA_SCHEMA}`);
    await client.query(await readFile(new URL('../../schema.sql', import.meta.url), 'utf8'));
  } finally {
    await client.end();
  }
}
