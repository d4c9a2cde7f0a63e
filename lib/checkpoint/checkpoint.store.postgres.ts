import { InvalidCursorError } from '../iteration.errors.js';
import { PostgresJobReferences } from './references.postgres.js';

/** What is used of BullMQ's PostgreSQL backend. */
interface PostgresBackend {
  readonly qualifiedName: string;
  readonly connection: {
    waitUntilReady(): Promise<void>;
    readonly pool: { query(sql: string, values: readonly unknown[]): Promise<{ rows: readonly unknown[] }> };
  };
}

/** The runs noted in the row as survivors: another worker's checkpoint does not know them. */
const SURVIVORS = `CASE WHEN jsonb_typeof(progress) = 'object' AND progress ? 'survivors'
                        THEN jsonb_build_object('survivors', progress->'survivors') ELSE '{}' END`;

const NOTE = `
UPDATE job SET progress = jsonb_set(progress, '{survivors}', coalesce(progress->'survivors', '[]') || to_jsonb($3::int))
 WHERE queue = $1 AND id = $2 AND jsonb_typeof(progress) = 'object'
`;

/**
 * The event is the one that BullMQ's own `updateProgress` adds. The pool's search_path selects BullMQ's schema. A delayed
 * job keeps its place in this backend, so the one that yields takes a new one.
 */
const SAVE = `
WITH saved AS (
  UPDATE job SET progress = $4::jsonb || ${SURVIVORS}, seq = CASE WHEN $5 THEN nextval('job_seq') ELSE seq END
   WHERE queue = $1 AND id = $2 AND state = 'active' AND lock_token = $3
  RETURNING id
)
SELECT publish_event($1, 'progress', jsonb_build_object('jobId', $2::text, 'data', $4::text)) FROM saved
`;

export class PostgresCheckpointStore {
  readonly references: PostgresJobReferences;

  constructor(private readonly backend: PostgresBackend) {
    this.references = new PostgresJobReferences(backend);
  }

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
    try {
      const { rows } = await connection.pool.query(SAVE, [
        qualifiedName,
        job.id,
        token,
        JSON.stringify(document),
        yields,
      ]);
      return rows.length === 1;
    } catch (error) {
      throw isUnstorable(error) ? refused(error) : error;
    }
  }

  async noteSurvivor({ id }: { readonly id?: string }, run: number): Promise<void> {
    const { connection, qualifiedName } = this.backend;
    await connection.waitUntilReady();
    await connection.pool.query(NOTE, [qualifiedName, id, run]);
  }

  async survivors({ id }: { readonly id?: string }): Promise<readonly number[]> {
    const { connection, qualifiedName } = this.backend;
    await connection.waitUntilReady();
    const { rows } = await connection.pool.query(
      "SELECT progress->'survivors' AS runs FROM job WHERE queue = $1 AND id = $2",
      [qualifiedName, id],
    );
    return (rows as { runs: number[] | null }[])[0]?.runs ?? [];
  }
}

/** PostgreSQL's `untranslatable_character` and `invalid_text_representation`: to save it again would fail again. */
function isUnstorable(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === '22P05' || error.code === '22P02');
}

function refused(cause: unknown): InvalidCursorError {
  return new InvalidCursorError(
    `The cursor or state holds text that PostgreSQL cannot keep in JSON: the character U+0000, or half a surrogate pair. ` +
      `Encode such text, or keep the position without it (${(cause as Error).message})`,
    'cursor',
  );
}
