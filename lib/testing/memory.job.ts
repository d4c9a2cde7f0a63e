import { Job, type JobsOptions } from 'bullmq';
import { InvalidOptionsError } from '../iteration.errors.js';

/** `paused`: the job waits for somebody to resume it. */
export type JobState = 'waiting' | 'waiting-children' | 'paused' | 'completed' | 'failed';

/** A job, as it is kept between its runs: values are JSON text, as in a queue. */
export interface JobRecord {
  readonly id: string;
  readonly name: string;
  readonly queueName: string;
  readonly timestamp: number;
  readonly opts: JobsOptions;
  /** The job that waits for this one. */
  readonly parent: string | undefined;
  data: string;
  progress: string;
  state: JobState;
  attemptsMade: number;
  attemptsStarted: number;
  stacktrace: readonly string[];
  processedOn?: number | undefined;
  finishedOn?: number | undefined;
  returnvalue?: string | undefined;
  failedReason?: string | undefined;
  /** What the checkpoint store keeps beside the progress. */
  readonly kept: Map<string, string>;
}

/** What a job needs to know of the others. */
interface Family {
  childrenOf(id: string): readonly JobRecord[];
}

/** BullMQ's job, as far as runs and handlers use it: a copy of its record, as a worker gets one for each run. */
class MemoryJob {
  readonly id: string;
  readonly name: string;
  readonly queueName: string;
  readonly timestamp: number;
  readonly opts: JobsOptions;
  readonly attemptsMade: number;
  readonly attemptsStarted: number;
  readonly processedOn: number | undefined;
  readonly finishedOn: number | undefined;
  readonly failedReason: string | undefined;
  readonly stalledCounter = 0;
  readonly stacktrace: readonly string[];
  readonly returnvalue: unknown;
  progress: unknown;
  data: unknown;

  constructor(
    private readonly record: JobRecord,
    private readonly family: Family,
  ) {
    this.id = record.id;
    this.name = record.name;
    this.queueName = record.queueName;
    this.timestamp = record.timestamp;
    this.opts = { ...record.opts };
    this.attemptsMade = record.attemptsMade;
    this.attemptsStarted = record.attemptsStarted;
    this.processedOn = record.processedOn;
    this.finishedOn = record.finishedOn;
    this.failedReason = record.failedReason;
    this.stacktrace = record.stacktrace;
    this.returnvalue = record.returnvalue === undefined ? null : JSON.parse(record.returnvalue);
    this.progress = JSON.parse(record.progress);
    this.data = JSON.parse(record.data);
  }

  async getState(): Promise<JobState> {
    return this.record.state;
  }

  async updateData(data: unknown): Promise<void> {
    this.data = data;
    this.record.data = JSON.stringify(data);
  }

  async log(): Promise<number> {
    return 0;
  }

  async moveToWait(): Promise<number> {
    return 0; // the next run begins at once
  }

  async moveToDelayed(): Promise<void> {}

  async moveToWaitingChildren(): Promise<boolean> {
    const { unprocessed } = await this.getDependenciesCount();
    if (unprocessed > 0) this.record.state = 'waiting-children';
    return unprocessed > 0;
  }

  async getDependenciesCount(): Promise<{ unprocessed: number }> {
    return { unprocessed: this.family.childrenOf(this.id).filter(({ finishedOn }) => !finishedOn).length };
  }

  async getChildrenValues(): Promise<Record<string, unknown>> {
    const completed = this.family.childrenOf(this.id).filter(({ state }) => state === 'completed');
    return Object.fromEntries(completed.map(({ id, returnvalue }) => [id, JSON.parse(returnvalue as string)]));
  }

  async retry(): Promise<void> {
    this.record.state = 'waiting';
    this.record.finishedOn = undefined;
    this.record.failedReason = undefined;
  }

  async removeDeduplicationKey(): Promise<boolean> {
    return false;
  }
}

/** The job of a record. A method of BullMQ's job that needs a queue is refused. */
export function jobOf(record: JobRecord, family: Family): Job {
  const job = new MemoryJob(record, family);
  return new Proxy(job, {
    get: (target, name) => {
      if (name in target || typeof bullMqProperty(name) !== 'function') return Reflect.get(target, name);
      return () => {
        throw new InvalidOptionsError(
          `job.${String(name)} needs a queue, and iterate() runs a job without one. Test this call with a real queue`,
        );
      };
    },
  }) as unknown as Job;
}

function bullMqProperty(name: string | symbol): unknown {
  return Object.getOwnPropertyDescriptor(Job.prototype, name)?.value;
}
