import { setTimeout as delay } from 'node:timers/promises';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { type RedisServer, startRedis } from '../test/support/redis-server.js';
import { BenchProcess } from './processes/bench.process.js';
import type { Complete, JobData, QueueWorkerConfig } from './processes/queue-worker.js';

/** The total cost of a worker's jobs. */
export interface Cost {
  readonly seconds: number;
  readonly peakBytes: number;
  readonly queries: number;
  /** Redis commands, including those inside scripts. */
  readonly commands: number;
  /** Bytes sent to and received from Redis. */
  readonly redisBytes: number;
}

export interface Work extends Pick<QueueWorkerConfig, 'contender' | 'databaseUrl'> {
  readonly jobs: number;
  /** Items per job. */
  readonly items: number;
}

/** How long a job's last Redis commands may take after it has reported that it is complete. */
const SETTLING_MS = 100;
const JOBS_A_BULK = 1_000;

/** Runs workers in fresh processes over a private redis-server: all that the server counts is theirs. */
export class WorkerCosts {
  readonly #queue: Queue;
  readonly #redis: Redis;

  private constructor(
    private readonly server: RedisServer,
    private readonly place: QueueWorkerConfig['place'],
  ) {
    this.#queue = new Queue('work', place);
    this.#redis = new Redis(place.connection);
  }

  static async open(): Promise<WorkerCosts> {
    const server = await startRedis();
    return new WorkerCosts(server, { connection: { host: '127.0.0.1', port: server.port }, prefix: 'bench' });
  }

  /**
   * Cost of jobs that wait in the queue when the worker starts. One job runs before: the first ones load their scripts.
   */
  of({ contender, databaseUrl, items, jobs }: Work): Promise<Cost> {
    return this.#inProcess({ contender, databaseUrl }, async (worker) => {
      await this.#add('warm-up', { jobs: 1, items: 1 });
      const before = await worker.message<Complete>('complete warm-up');
      await this.#queue.pause();
      await this.#add('work', { jobs, items });
      await delay(SETTLING_MS);
      await this.#redis.config('RESETSTAT');
      await this.#queue.resume();
      const { at } = await worker.message('began work');
      const complete = await worker.message<Complete>('complete work');
      if (complete.items !== items * jobs) throw new Error(`${complete.items} items of ${items * jobs} were handled`);
      await delay(SETTLING_MS);
      const { peakBytes } = complete;
      const queries = complete.queries - before.queries;
      return { seconds: (complete.at - at) / 1_000, peakBytes, queries, ...(await this.#traffic()) };
    });
  }

  /** Cost of a worker without a job. */
  ofIdle(seconds: number): Promise<Cost> {
    return this.#inProcess({ contender: 'ours' }, async (worker) => {
      await this.#add('warm-up', { jobs: 1, items: 1 });
      await worker.message('complete warm-up');
      await delay(SETTLING_MS);
      await this.#redis.config('RESETSTAT');
      await delay(seconds * 1_000);
      return { seconds, peakBytes: 0, queries: 0, ...(await this.#traffic()) };
    });
  }

  async close(): Promise<void> {
    await this.#queue.close();
    await this.#redis.quit();
    await this.server.stop();
  }

  async #inProcess(
    config: Omit<QueueWorkerConfig, 'place' | 'queue'>,
    use: (worker: BenchProcess) => Promise<Cost>,
  ): Promise<Cost> {
    const worker = new BenchProcess('queue-worker', { ...config, place: this.place, queue: this.#queue.name });
    try {
      await worker.message('ready');
      return await use(worker);
    } finally {
      await worker.kill();
      await this.#queue.obliterate({ force: true });
    }
  }

  async #add(batch: string, { jobs, items }: Pick<Work, 'jobs' | 'items'>): Promise<void> {
    for (let added = 0; added < jobs; added += JOBS_A_BULK) {
      const length = Math.min(JOBS_A_BULK, jobs - added);
      const dataOf = (index: number): JobData => ({ items, batch, isLast: index === jobs - 1 });
      await this.#queue.addBulk(Array.from({ length }, (_, index) => ({ name: 'job', data: dataOf(added + index) })));
    }
  }

  /** Redis traffic since the last reset. */
  async #traffic(): Promise<Pick<Cost, 'commands' | 'redisBytes'>> {
    const stats = await this.#redis.info('stats');
    const stat = (name: string) => Number(new RegExp(`${name}:(\\d+)`).exec(stats)?.[1]);
    return {
      commands: stat('total_commands_processed'),
      redisBytes: stat('total_net_input_bytes') + stat('total_net_output_bytes'),
    };
  }
}
