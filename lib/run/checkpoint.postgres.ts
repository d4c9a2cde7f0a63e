/** What is used of BullMQ's PostgreSQL backend. */
interface PostgresBackend {
  readonly qualifiedName: string;
  readonly connection: {
    waitUntilReady(): Promise<void>;
    readonly pool: { query(sql: string, values: readonly unknown[]): Promise<{ rows: readonly unknown[] }> };
  };
}

/**
 * The event is the one that BullMQ's own `updateProgress` adds. The pool's search_path selects BullMQ's schema. A delayed
 * job keeps its place in this backend, so the one that yields takes a new one.
 */
const SAVE = `
WITH saved AS (
  UPDATE job SET progress = $4::jsonb, seq = CASE WHEN $5 THEN nextval('job_seq') ELSE seq END
   WHERE queue = $1 AND id = $2 AND state = 'active' AND lock_token = $3
  RETURNING id
)
SELECT publish_event($1, 'progress', jsonb_build_object('jobId', $2::text, 'data', $4::text)) FROM saved
`;

export class PostgresCheckpointStore {
  constructor(private readonly backend: PostgresBackend) {}

  static serves(backend: unknown): backend is PostgresBackend {
    if (typeof backend !== 'object' || backend === null || !('connection' in backend)) return false;
    const { connection } = backend;
    return typeof connection === 'object' && connection !== null && 'pool' in connection;
  }

  async save(
    job: { readonly id?: string },
    token: string,
    document: object,
    { yields = false }: { readonly yields?: boolean } = {},
  ): Promise<boolean> {
    const { connection, qualifiedName } = this.backend;
    await connection.waitUntilReady();
    const { rows } = await connection.pool.query(SAVE, [
      qualifiedName,
      job.id,
      token,
      JSON.stringify(document),
      yields,
    ]);
    return rows.length === 1;
  }
}
