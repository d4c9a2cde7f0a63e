import type { DeduplicatedJob, JobReferences } from './references.js';

/** What is used of BullMQ's PostgreSQL backend. */
interface PostgresBackend {
  readonly qualifiedName: string;
  readonly connection: {
    waitUntilReady(): Promise<void>;
    readonly pool: { query(sql: string, values: readonly unknown[]): Promise<{ rows: readonly unknown[] }> };
  };
}

const POINT = 'UPDATE dedup SET job_id = $4 WHERE queue = $1 AND dedup_id = $2 AND job_id = $3';

const PREDECESSOR = `
SELECT id FROM job
 WHERE queue = $1 AND dedup_id = $2 AND id <> $3 AND state NOT IN ('completed', 'failed')
   AND jsonb_typeof(progress) = 'object' AND progress ? 'iteration' AND (progress->>'run')::int > 0
 LIMIT 1
`;

/** One millisecond on, the scheduler's latest job has an id that no job has. */
const DETACH = `
UPDATE scheduler SET next_run_ms = next_run_ms + 1
 WHERE queue = $1 AND scheduler_id = $2 AND 'repeat:' || scheduler_id || ':' || next_run_ms = $3
`;

/** No job has this id: BullMQ takes a key that points at it for a stale one, and lets the next job have it. */
function released(id: string): string {
  return `interrupted:${id}`;
}

export class PostgresJobReferences implements JobReferences {
  constructor(private readonly backend: PostgresBackend) {}

  async releaseDeduplication({ id, deduplicationId }: DeduplicatedJob): Promise<void> {
    await this.#query(POINT, [deduplicationId, id, released(id)]);
  }

  async reclaimDeduplication({ id, deduplicationId }: DeduplicatedJob): Promise<void> {
    await this.#query(POINT, [deduplicationId, released(id), id]);
  }

  async predecessor({ id, deduplicationId }: DeduplicatedJob): Promise<string | undefined> {
    const rows = await this.#query(PREDECESSOR, [deduplicationId, id]);
    return (rows as { id: string }[])[0]?.id;
  }

  async detachScheduler({ id, schedulerId }: { id: string; schedulerId: string }): Promise<void> {
    await this.#query(DETACH, [schedulerId, id]);
  }

  async #query(sql: string, values: readonly unknown[]): Promise<readonly unknown[]> {
    const { connection, qualifiedName } = this.backend;
    await connection.waitUntilReady();
    return (await connection.pool.query(sql, [qualifiedName, ...values])).rows;
  }
}
