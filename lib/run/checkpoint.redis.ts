import type { IRedisClient } from 'bullmq';

/** What is used of BullMQ's Redis backend. */
interface RedisBackend {
  readonly client: Promise<Pick<IRedisClient, 'defineCommand' | 'runCommand'>>;
  readonly keys: Readonly<Record<string, string>>;
  toKey(type: string): string;
}

const COMMAND = 'iterationSaveCheckpoint';

/** The event is the one that BullMQ's own `updateProgress` adds: QueueEvents and Bull Board listen for it. */
const SAVE = `
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'progress', ARGV[3])
local maxEvents = redis.call('HGET', KEYS[4], 'opts.maxLenEvents') or 10000
redis.call('XADD', KEYS[3], 'MAXLEN', '~', maxEvents, '*', 'event', 'progress', 'jobId', ARGV[2], 'data', ARGV[3])
return 1
`;

export class RedisCheckpointStore {
  readonly #client: ReturnType<typeof withCommand>;

  constructor(private readonly backend: RedisBackend) {
    this.#client = withCommand(backend);
    this.#client.catch(() => {}); // reported by the worker itself; here it rejects every save
  }

  static serves(backend: unknown): backend is RedisBackend {
    return typeof backend === 'object' && backend !== null && 'client' in backend && 'toKey' in backend;
  }

  async save(job: { readonly id?: string }, token: string, document: object): Promise<boolean> {
    const client = await this.#client;
    const { backend } = this;
    const id = job.id as string;
    const keys = [backend.toKey(id), `${backend.toKey(id)}:lock`, backend.keys.events, backend.keys.meta];
    return (await client.runCommand(COMMAND, [...keys, token, id, JSON.stringify(document)])) === 1;
  }
}

async function withCommand({ client }: RedisBackend) {
  const connected = await client;
  connected.defineCommand(COMMAND, { numberOfKeys: 4, lua: SAVE });
  return connected;
}
