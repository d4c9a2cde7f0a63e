import type { Job, JobsOptions, Queue } from 'bullmq';
import type { Clock } from '../clock.js';
import { type JobRecord, jobOf } from './memory.job.js';

interface AddedJob {
  readonly name: string;
  readonly data: unknown;
  readonly opts: JobsOptions;
}

/** A queue in memory, as far as runs use one. */
export class MemoryQueue implements Pick<Queue, 'name' | 'qualifiedName'> {
  readonly #records = new Map<string, JobRecord>();

  constructor(
    readonly name: string,
    private readonly clock: Clock,
  ) {}

  get qualifiedName(): string {
    return `bull:${this.name}`;
  }

  add({ name, data, opts }: AddedJob): JobRecord {
    const { jobId: id = '', parent, ...others } = opts;
    const known = this.#records.get(id);
    if (known) return known;
    const record: JobRecord = {
      id,
      name,
      queueName: this.name,
      timestamp: this.clock.now(),
      opts: JSON.parse(JSON.stringify({ attempts: 0, ...others })),
      parent: parent?.id,
      data: JSON.stringify(data) ?? '{}', // as BullMQ keeps undefined
      progress: '0',
      state: 'waiting',
      attemptsMade: 0,
      attemptsStarted: 0,
      stacktrace: [],
      kept: new Map(),
    };
    this.#records.set(id, record);
    return record;
  }

  /** The jobs that a job with parts adds. */
  async addBulk(jobs: readonly AddedJob[]): Promise<readonly JobRecord[]> {
    return jobs.map((job) => this.add(job));
  }

  async getJob(id: string): Promise<Job | undefined> {
    const record = this.#records.get(id);
    return record && jobOf(record, this);
  }

  async remove(id: string): Promise<number> {
    return this.#records.delete(id) ? 1 : 0;
  }

  record(id: string): JobRecord | undefined {
    return this.#records.get(id);
  }

  childrenOf(id: string): readonly JobRecord[] {
    return [...this.#records.values()].filter(({ parent }) => parent === id);
  }

  /** The job whose turn it is; undefined: every job has ended, or one waits for somebody to resume it. */
  next(): JobRecord | undefined {
    const records = [...this.#records.values()];
    if (records.some(({ state }) => state === 'paused')) return undefined;
    for (const record of records) {
      const isWaiting = record.state === 'waiting-children';
      if (isWaiting && this.childrenOf(record.id).every(({ finishedOn }) => finishedOn)) record.state = 'waiting';
    }
    return records.find(({ state }) => state === 'waiting');
  }

  /** A worker takes a job. No two runs begin at the same time, however the clock is set. */
  take(record: JobRecord): Job {
    record.processedOn = Math.max(this.clock.now(), (record.processedOn ?? 0) + 1);
    record.attemptsStarted++;
    return jobOf(record, this);
  }
}
