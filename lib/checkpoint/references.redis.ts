import type { IRedisClient } from 'bullmq';
import { type DeduplicatedJob, type JobReferences, released } from './references.js';

/** What is used of BullMQ's Redis backend. */
interface RedisBackend {
  readonly client: Promise<Pick<IRedisClient, 'defineCommand' | 'runCommand'>>;
  toKey(type: string): string;
}

const RELEASE_COMMAND = 'iterationReleaseDeduplication';
const RECLAIM_COMMAND = 'iterationReclaimDeduplication';
const PREDECESSOR_COMMAND = 'iterationPredecessor';
const DETACH_COMMAND = 'iterationDetachScheduler';

/** Deduplication id to the job that was put back, while another job may have the key. */
const PUT_BACK = 'iteration:put-back';

const RELEASE = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[3])
redis.call('HSET', KEYS[2], ARGV[2], ARGV[1])
return 1
`;

const RECLAIM = `
if redis.call('GET', KEYS[1]) ~= ARGV[3] then return 0 end
redis.call('SET', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[2])
return 1
`;

const PREDECESSOR = `
local id = redis.call('HGET', KEYS[2], ARGV[2])
if not id or id == ARGV[1] then return nil end
local jobKey = ARGV[4] .. id
if redis.call('EXISTS', jobKey) == 1 and not redis.call('HGET', jobKey, 'finishedOn') then return id end
redis.call('HDEL', KEYS[2], ARGV[2])
return nil
`;

/** One millisecond on, the scheduler's latest job has an id that no job has. */
const DETACH = `
local millis = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not millis or 'repeat:' .. ARGV[1] .. ':' .. millis ~= ARGV[2] then return 0 end
redis.call('ZINCRBY', KEYS[1], 1, ARGV[1])
return 1
`;

export class RedisJobReferences implements JobReferences {
  readonly #client: ReturnType<typeof withCommands>;

  constructor(private readonly backend: RedisBackend) {
    this.#client = withCommands(backend);
    this.#client.catch(() => {}); // reported by the worker itself; here it rejects every command
  }

  async releaseDeduplication(job: DeduplicatedJob): Promise<void> {
    await this.#run(RELEASE_COMMAND, job);
  }

  async reclaimDeduplication(job: DeduplicatedJob): Promise<void> {
    await this.#run(RECLAIM_COMMAND, job);
  }

  async predecessor(job: DeduplicatedJob): Promise<string | undefined> {
    return ((await this.#run(PREDECESSOR_COMMAND, job)) as string | null) ?? undefined;
  }

  async detachScheduler({ id, schedulerId }: { id: string; schedulerId: string }): Promise<void> {
    const client = await this.#client;
    await client.runCommand(DETACH_COMMAND, [this.backend.toKey('repeat'), schedulerId, id]);
  }

  async #run(command: string, { id, deduplicationId }: DeduplicatedJob): Promise<unknown> {
    const { backend } = this;
    const client = await this.#client;
    const keys = [backend.toKey(`de:${deduplicationId}`), backend.toKey(PUT_BACK)];
    return client.runCommand(command, [...keys, id, deduplicationId, released(id), backend.toKey('')]);
  }
}

async function withCommands({ client }: RedisBackend) {
  const connected = await client;
  const commands = { [RELEASE_COMMAND]: RELEASE, [RECLAIM_COMMAND]: RECLAIM, [PREDECESSOR_COMMAND]: PREDECESSOR };
  for (const [name, lua] of Object.entries(commands)) connected.defineCommand(name, { numberOfKeys: 2, lua });
  connected.defineCommand(DETACH_COMMAND, { numberOfKeys: 1, lua: DETACH });
  return connected;
}
