import { type RedisClient, runCommand } from '../bullmq/index.js';
import type { DeduplicatedJob, JobReferences } from './references.js';

/** What is used of BullMQ's Redis backend. */
interface RedisBackend {
  readonly client: Promise<RedisClient>;
  toKey(type: string): string;
}

const RELEASE_COMMAND = 'iterationReleaseDeduplication';
const RECLAIM_COMMAND = 'iterationReclaimDeduplication';
const PREDECESSOR_COMMAND = 'iterationPredecessor';
const DETACH_COMMAND = 'iterationDetachScheduler';

/** Deduplication id to the job that was put back, while another job may have the key. */
const PUT_BACK = 'iteration:put-back';

/** Marks the trigger that BullMQ keeps for the end of a job that was put back. BullMQ writes a new one without the mark. */
const EARLIER = 'iterationEarlier';

/*
 * KEYS: the deduplication key, the trigger that BullMQ keeps for the end of the job that has the key, and PUT_BACK.
 * ARGV: the job's id, the deduplication id, the prefix of jobs' keys.
 */

const RELEASE = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
if redis.call('EXISTS', KEYS[2]) == 1 then redis.call('HSET', KEYS[2], '${EARLIER}', 1) end
redis.call('HSET', KEYS[3], ARGV[2], ARGV[1])
return 1
`;

const RECLAIM = `
local isEarlier = redis.call('HDEL', KEYS[2], '${EARLIER}') == 1
if redis.call('EXISTS', KEYS[1]) == 1 then
  if isEarlier then redis.call('DEL', KEYS[2]) end
  return 0
end
if redis.call('HGET', KEYS[3], ARGV[2]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[3], ARGV[2])
return 1
`;

const PREDECESSOR = `
local id = redis.call('HGET', KEYS[3], ARGV[2])
if not id or id == ARGV[1] then return nil end
local jobKey = ARGV[3] .. id
if redis.call('EXISTS', jobKey) == 1 and not redis.call('HGET', jobKey, 'finishedOn') then return id end
redis.call('HDEL', KEYS[3], ARGV[2])
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
    await runCommand(client, DETACH_COMMAND, [this.backend.toKey('repeat'), schedulerId, id]);
  }

  async #run(command: string, { id, deduplicationId }: DeduplicatedJob): Promise<unknown> {
    const keys = [`de:${deduplicationId}`, `dn:${deduplicationId}`, PUT_BACK];
    const values = [...keys.map((key) => this.backend.toKey(key)), id, deduplicationId, this.backend.toKey('')];
    return runCommand(await this.#client, command, values);
  }
}

async function withCommands({ client }: RedisBackend) {
  const connected = await client;
  const commands = { [RELEASE_COMMAND]: RELEASE, [RECLAIM_COMMAND]: RECLAIM, [PREDECESSOR_COMMAND]: PREDECESSOR };
  for (const [name, lua] of Object.entries(commands)) connected.defineCommand(name, { numberOfKeys: 3, lua });
  connected.defineCommand(DETACH_COMMAND, { numberOfKeys: 1, lua: DETACH });
  return connected;
}
