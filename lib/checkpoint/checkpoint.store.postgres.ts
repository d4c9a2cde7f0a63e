import { InvalidCursorError } from '../iteration.errors.js';
import { PostgresJobReferences } from './references.postgres.js';
import { KEPT_LINES } from './run.history.js';
import type { SaveOptions } from './save.options.js';

/** What is used of BullMQ's PostgreSQL backend. */
interface PostgresBackend {
  readonly qualifiedName: string;
  readonly connection: {
    waitUntilReady(): Promise<void>;
    readonly pool: { query(sql: string, values: readonly unknown[]): Promise<{ rows: readonly unknown[] }> };
  };
}

const SAVED = "CASE WHEN jsonb_typeof(progress) = 'object' THEN progress ELSE '{}' END";

/** The last lines of the row's runs, with the new ones. */
const RUNS = `(
  SELECT array_to_string(lines[greatest(1, cardinality(lines) - ${KEPT_LINES}):], E'\\n')
    FROM string_to_array(nullif(coalesce(${SAVED}->>'runs', '') || $6::text, ''), E'\\n') AS lines
)`;

/** Kept in the row beside the checkpoint, which does not know it: runs that survived, what operators ask, the parts, the last runs. */
const NOTES = `jsonb_strip_nulls(jsonb_build_object(
  'survivors', ${SAVED}->'survivors', 'control', ${SAVED}->'control', 'parts', ${SAVED}->'parts',
  'shared', ${SAVED}->'shared', 'runs', ${RUNS}))`;

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
  UPDATE job SET progress = $4::jsonb || ${NOTES}, seq = CASE WHEN $5 THEN nextval('job_seq') ELSE seq END
   WHERE queue = $1 AND id = $2 AND state = 'active' AND lock_token = $3
  RETURNING id
)
SELECT publish_event($1, 'progress', jsonb_build_object('jobId', $2::text, 'data', $4::text)) FROM saved
`;

/** The document is text within the row's JSON: JSON of PostgreSQL would not keep every text, nor the order of keys. */
const REPLACE_CONTROL = `
WITH saved AS (
  UPDATE job SET progress = CASE jsonb_typeof(progress) WHEN 'object' THEN progress WHEN 'number'
                            THEN jsonb_build_object('progress', progress) ELSE '{}' END || jsonb_build_object('control', $4::text)
   WHERE queue = $1 AND id = $2
     AND ${SAVED}->>'control' IS NOT DISTINCT FROM $3::text
  RETURNING id, progress
)
SELECT publish_event($1, 'progress', jsonb_build_object('jobId', $2::text, 'data', (progress - 'parts' - 'shared')::text))
  FROM saved
`;

const SAVE_PARTS = `
UPDATE job SET progress = ${SAVED} || jsonb_build_object('parts', $4::text)
 WHERE queue = $1 AND id = $2 AND state = 'active' AND lock_token = $3
RETURNING id
`;

const READ_SURVIVORS = "SELECT progress->'survivors' AS runs FROM job WHERE queue = $1 AND id = $2";

const READ_PARTS = `SELECT ${SAVED}->>'parts' AS parts FROM job WHERE queue = $1 AND id = $2`;

const READ_SHARED = `
SELECT ${SAVED}->>'shared' AS text, extract(epoch FROM clock_timestamp()) * 1000 AS now
  FROM job WHERE queue = $1 AND id = $2
`;

const REPLACE_SHARED = `
UPDATE job SET progress = ${SAVED} || jsonb_build_object('shared', $4::text)
 WHERE queue = $1 AND id = $2 AND ${SAVED}->>'shared' IS NOT DISTINCT FROM $3::text
RETURNING id
`;

const READ_RUNS = `SELECT ${SAVED}->>'runs' AS runs FROM job WHERE queue = $1 AND id = $2`;

const READ_CONTROLS = `
SELECT id, ${SAVED}->>'control' AS control
  FROM job WHERE queue = $1 AND id = ANY($2)
`;

type Replaced = 'replaced' | 'changed' | 'gone';

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
    { yields = false, history = '' }: SaveOptions = {},
  ): Promise<boolean> {
    try {
      const rows = await this.#query(SAVE, [job.id, token, JSON.stringify(document), yields, history]);
      return rows.length === 1;
    } catch (error) {
      throw isUnstorable(error) ? refused(error) : error;
    }
  }

  async noteSurvivor({ id }: { readonly id?: string }, run: number): Promise<void> {
    await this.#query(NOTE, [id, run]);
  }

  async survivors({ id }: { readonly id?: string }): Promise<readonly number[]> {
    const [found] = await this.#query<{ runs: number[] | null }>(READ_SURVIVORS, [id]);
    return found?.runs ?? [];
  }

  async saveParts({ id }: { readonly id?: string }, token: string, parts: string): Promise<boolean> {
    return (await this.#query(SAVE_PARTS, [id, token, parts])).length === 1;
  }

  async parts({ id }: { readonly id?: string }): Promise<string | undefined> {
    const [found] = await this.#query<{ parts: string | null }>(READ_PARTS, [id]);
    return found?.parts ?? undefined;
  }

  async shared(id: string): Promise<{ text: string | undefined; now: number }> {
    const [found] = await this.#query<{ text: string | null; now: string }>(READ_SHARED, [id]);
    return { text: found?.text ?? undefined, now: found ? Number(found.now) : 0 };
  }

  async replaceShared(id: string, expected: string | undefined, next: string): Promise<Replaced> {
    if ((await this.#query(REPLACE_SHARED, [id, expected ?? null, next])).length === 1) return 'replaced';
    return this.#unreplaced(id);
  }

  async history({ id }: { readonly id?: string }): Promise<string | undefined> {
    const [found] = await this.#query<{ runs: string | null }>(READ_RUNS, [id]);
    return found?.runs ?? undefined;
  }

  async controls(ids: readonly string[]): Promise<readonly (string | undefined)[]> {
    const rows = await this.#query<{ id: string; control: string | null }>(READ_CONTROLS, [ids]);
    const controls = new Map(rows.map(({ id, control }) => [id, control]));
    return ids.map((id) => controls.get(id) ?? undefined);
  }

  async replaceControl(id: string, expected: string | undefined, next: string): Promise<Replaced> {
    if ((await this.#query(REPLACE_CONTROL, [id, expected ?? null, next])).length === 1) return 'replaced';
    return this.#unreplaced(id);
  }

  async #unreplaced(id: string): Promise<'changed' | 'gone'> {
    return (await this.#query('SELECT FROM job WHERE queue = $1 AND id = $2', [id])).length === 1 ? 'changed' : 'gone';
  }

  /** @param values Those after the queue's. */
  async #query<Row>(sql: string, values: readonly unknown[]): Promise<readonly Row[]> {
    const { connection, qualifiedName } = this.backend;
    await connection.waitUntilReady();
    return (await connection.pool.query(sql, [qualifiedName, ...values])).rows as readonly Row[];
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
