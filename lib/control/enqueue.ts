import { Logger, type Type } from '@nestjs/common';
import type { Job, JobsOptions } from 'bullmq';
import { canaryOptions, startAfter } from '../checkpoint/index.js';
import { type Cursor, checkJson } from '../cursor.js';
import { marksOf, processorOptionsOf } from '../decorators/index.js';
import { describe } from '../describe.js';
import { type RegisteredQueue, sameQueue } from '../discovery/index.js';
import { InvalidOptionsError, InvalidProcessorError } from '../iteration.errors.js';
import { checkOption, count } from '../rules.js';
import type { WorkerRegistrar } from '../worker/index.js';
import type { ControlledQueues } from './controlled.queue.js';

/** BullMQ's options of a job, and: */
export type EnqueueOptions = JobsOptions & {
  /** The job starts after it. */
  cursor?: Cursor;
  /** The job pauses itself after so many items, until `resume` ([R35](docs/guarantees.md#r35)). */
  canary?: number;
};

/** Adds jobs of processors to their queues. */
export class Enqueuer {
  readonly #logger = new Logger('Iteration');
  readonly #warned = new WeakSet<Type>();

  constructor(
    private readonly queues: ControlledQueues,
    private readonly registrar: WorkerRegistrar,
  ) {}

  async add(processor: Type, data: unknown, { canary, cursor, ...options }: EnqueueOptions = {}): Promise<Job> {
    const { queue, jobName } = this.#placeOf(processor);
    if (options.deduplication?.replace) {
      throw new InvalidOptionsError(
        `enqueue(${processor.name}): "deduplication.replace" could delete a job that has started. Leave it out: then a job ` +
          'of the same deduplication id is not added while one is there',
      );
    }
    if (cursor !== undefined) checkJson(cursor);
    if (cursor !== undefined && cursor !== null && isSplit(processor)) {
      throw new InvalidOptionsError(
        `enqueue(${processor.name}): its jobs have parts, each with cursors of its own. Leave "cursor" out, and let @BuildPartitions() return what is left`,
      );
    }
    checkOption(`enqueue(${processor.name})`, ['canary', canary], count);
    const own = {
      ...(cursor !== undefined && cursor !== null && startAfter(cursor)),
      ...(canary !== undefined && canaryOptions(canary)),
    };
    return (await queue.queue.add(jobName, data ?? {}, { ...options, ...own })) as Job;
  }

  #placeOf(processor: Type): { queue: RegisteredQueue; jobName: string } {
    const options = typeof processor === 'function' ? processorOptionsOf(processor) : undefined;
    if (!options) {
      throw new InvalidProcessorError(
        processor?.name ?? describe(processor),
        'it is no processor: decorate it with @IterativeProcessor',
      );
    }
    const jobName = options.name ?? processor.name;
    const own = this.registrar.processors.find(({ classes }) => classes.includes(processor));
    if (own) return { queue: own.queue, jobName };

    const queue = this.queues.named(options.queue);
    const served = this.registrar.processors.find((candidate) => sameQueue(candidate.queue, queue));
    if (served && !served.definitions.some((known) => known.jobName === undefined || known.jobName === jobName)) {
      throw new InvalidProcessorError(
        processor.name,
        `it is no provider of any module, though this application handles its queue "${queue.name}": its jobs would fail as unknown. Add it to a module's providers`,
      );
    }
    if (!served && this.registrar.runsWorkers) this.#warnOfUnprovided(processor, queue);
    return { queue, jobName };
  }

  /** Another service may well handle it, so it is no error. */
  #warnOfUnprovided(processor: Type, { name }: RegisteredQueue): void {
    if (this.#warned.has(processor)) return;
    this.#warned.add(processor);
    this.#logger.warn(
      `${processor.name} was enqueued, and no module of this application provides it: its jobs wait until another process handles the queue ` +
        `"${name}". Add it to a module's providers, or set workers: false if this process only adds jobs`,
    );
  }
}

function isSplit(processor: Type): boolean {
  return marksOf(processor).some(({ role }) => role.type === 'partitions');
}
