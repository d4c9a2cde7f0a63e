import { type RedisClient, runCommand } from '../bullmq/index.js';
import type { ControlStore } from './job.control.js';
import { RedisJobReferences } from './references.redis.js';
import { KEPT_LINES } from './run.history.js';
import type { SaveOptions } from './save.options.js';
import type { SharedStore } from './shared.store.js';

/** What is used of BullMQ's Redis backend. */
interface RedisBackend {
  readonly client: Promise<RedisClient>;
  readonly keys: Readonly<Record<string, string>>;
  toKey(type: string): string;
}

const SAVE_COMMAND = 'iterationSaveCheckpoint';
const NOTE_COMMAND = 'iterationNoteSurvivor';
const CONTROL_COMMAND = 'iterationReplaceControl';
const PARTS_COMMAND = 'iterationSaveParts';
const SHARED_COMMAND = 'iterationShared';
const REPLACE_SHARED_COMMAND = 'iterationReplaceShared';

/** Fields of the job's hash that BullMQ does not know: they go with the job. */
const SURVIVORS = 'iterationSurvivors';
const CONTROL = 'iterationControl';
const RUNS = 'iterationRuns';
const PARTS = 'iterationParts';
const SHARED = 'iterationShared';

const NOTE = `
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local survivors = redis.call('HGET', KEYS[1], '${SURVIVORS}')
redis.call('HSET', KEYS[1], '${SURVIVORS}', survivors and survivors .. ',' .. ARGV[1] or ARGV[1])
return 1
`;

/** The event is the one that BullMQ's own `updateProgress` adds: QueueEvents and Bull Board listen for it. */
const SAVE = `
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'progress', ARGV[3])
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[4], '*', 'event', 'progress', 'jobId', ARGV[2], 'data', ARGV[3])
if ARGV[5] == '' then return 1 end
local runs = (redis.call('HGET', KEYS[1], '${RUNS}') or '') .. ARGV[5]
local _, lines = string.gsub(runs, '\\n', '')
for _ = ${KEPT_LINES} + 1, lines do runs = string.sub(runs, string.find(runs, '\\n') + 1) end
redis.call('HSET', KEYS[1], '${RUNS}', runs)
return 1
`;

const SAVE_PARTS = `
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], '${PARTS}', ARGV[2])
return 1
`;

const READ_SHARED = `
local time = redis.call('TIME')
return {redis.call('HGET', KEYS[1], '${SHARED}') or '', time[1], time[2]}
`;

const REPLACE_SHARED = `
if redis.call('EXISTS', KEYS[1]) == 0 then return 'gone' end
if (redis.call('HGET', KEYS[1], '${SHARED}') or '') ~= ARGV[1] then return 'changed' end
redis.call('HSET', KEYS[1], '${SHARED}', ARGV[2])
return 'replaced'
`;

const REPLACE_CONTROL = `
if redis.call('EXISTS', KEYS[1]) == 0 then return 'gone' end
if (redis.call('HGET', KEYS[1], '${CONTROL}') or '') ~= ARGV[3] then return 'changed' end
redis.call('HSET', KEYS[1], '${CONTROL}', ARGV[4])
local progress = redis.call('HGET', KEYS[1], 'progress') or '0'
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[2], '*', 'event', 'progress', 'jobId', ARGV[1], 'data', progress)
return 'replaced'
`;

export class RedisCheckpointStore {
  readonly references: RedisJobReferences;
  readonly #client: ReturnType<typeof withCommands>;
  #maxLength: string | undefined;

  constructor(private readonly backend: RedisBackend) {
    this.references = new RedisJobReferences(backend);
    this.#client = withCommands(backend);
    this.#client.catch(() => {}); // reported by the worker itself; here it rejects every save
  }

  static serves(backend: unknown): backend is RedisBackend {
    return typeof backend === 'object' && backend !== null && 'client' in backend && 'toKey' in backend;
  }

  async save(
    job: { readonly id?: string },
    token: string,
    document: object,
    { history = '' }: SaveOptions = {},
  ): Promise<boolean> {
    const client = await this.#client;
    const { backend } = this;
    const id = job.id as string;
    const keys = [backend.toKey(id), `${backend.toKey(id)}:lock`, backend.keys.events];
    const values = [token, id, JSON.stringify(document), await this.#maxEvents(), history];
    return (await runCommand(client, SAVE_COMMAND, [...keys, ...values])) === 1;
  }

  /** The queue's `streams.events.maxLen`, which BullMQ writes when the queue is opened. */
  async #maxEvents(): Promise<string> {
    const client = await this.#client;
    this.#maxLength ??= (await client.hget(this.backend.keys.meta as string, 'opts.maxLenEvents')) ?? '10000';
    return this.#maxLength;
  }

  async noteSurvivor({ id }: { readonly id?: string }, run: number): Promise<void> {
    const client = await this.#client;
    await runCommand(client, NOTE_COMMAND, [this.backend.toKey(id as string), run]);
  }

  async survivors({ id }: { readonly id?: string }): Promise<readonly number[]> {
    const client = await this.#client;
    const noted = await client.hget(this.backend.toKey(id as string), SURVIVORS);
    return noted ? noted.split(',').map(Number) : [];
  }

  async saveParts({ id }: { readonly id?: string }, token: string, parts: string): Promise<boolean> {
    const key = this.backend.toKey(id as string);
    return (await runCommand(await this.#client, PARTS_COMMAND, [key, `${key}:lock`, token, parts])) === 1;
  }

  async parts({ id }: { readonly id?: string }): Promise<string | undefined> {
    const client = await this.#client;
    return (await client.hget(this.backend.toKey(id as string), PARTS)) ?? undefined;
  }

  async shared(id: string): Promise<{ text: string | undefined; now: number }> {
    const answer = await runCommand(await this.#client, SHARED_COMMAND, [this.backend.toKey(id)]);
    const [text, seconds, micros] = answer as [string, string, string];
    return { text: text === '' ? undefined : text, now: Number(seconds) * 1_000 + Number(micros) / 1_000 };
  }

  async replaceShared(id: string, expected = '', next: string): ReturnType<SharedStore['replaceShared']> {
    const values = [this.backend.toKey(id), expected, next];
    return (await runCommand(await this.#client, REPLACE_SHARED_COMMAND, values)) as Awaited<
      ReturnType<SharedStore['replaceShared']>
    >;
  }

  async history({ id }: { readonly id?: string }): Promise<string | undefined> {
    const client = await this.#client;
    return (await client.hget(this.backend.toKey(id as string), RUNS)) ?? undefined;
  }

  async controls(ids: readonly string[]): Promise<readonly (string | undefined)[]> {
    const client = await this.#client;
    const controls = await Promise.all(ids.map((id) => client.hget(this.backend.toKey(id), CONTROL)));
    return controls.map((control) => control ?? undefined);
  }

  async replaceControl(
    id: string,
    expected: string | undefined,
    next: string,
  ): ReturnType<ControlStore['replaceControl']> {
    const client = await this.#client;
    const keys = [this.backend.toKey(id), this.backend.keys.events];
    const values = [id, await this.#maxEvents(), expected ?? '', next];
    return (await runCommand(client, CONTROL_COMMAND, [...keys, ...values])) as Awaited<
      ReturnType<ControlStore['replaceControl']>
    >;
  }
}

async function withCommands({ client }: RedisBackend) {
  const connected = await client;
  connected.defineCommand(SAVE_COMMAND, { numberOfKeys: 3, lua: SAVE });
  connected.defineCommand(NOTE_COMMAND, { numberOfKeys: 1, lua: NOTE });
  connected.defineCommand(PARTS_COMMAND, { numberOfKeys: 2, lua: SAVE_PARTS });
  connected.defineCommand(SHARED_COMMAND, { numberOfKeys: 1, lua: READ_SHARED });
  connected.defineCommand(REPLACE_SHARED_COMMAND, { numberOfKeys: 1, lua: REPLACE_SHARED });
  connected.defineCommand(CONTROL_COMMAND, { numberOfKeys: 2, lua: REPLACE_CONTROL });
  return connected;
}
