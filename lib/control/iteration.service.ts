import { Injectable, Logger, type Type } from '@nestjs/common';
import type { Job, JobsOptions, Queue } from 'bullmq';
import {
  type ControlEvent,
  checkpointStoreOf,
  type IterationRun,
  readCheckpoint,
  readHistory,
  startAfter,
} from '../checkpoint/index.js';
import { type Cursor, checkJson } from '../cursor.js';
import type { DeadLetter } from '../dead-letters/index.js';
import { type DataOf, processorOptionsOf } from '../decorators/index.js';
import { describe } from '../describe.js';
import { QueueFinder, type RegisteredQueue, sameQueue } from '../discovery/index.js';
import { InvalidOptionsError, InvalidProcessorError } from '../iteration.errors.js';
import { check, type Rule } from '../rules.js';
import { WorkerRegistrar } from '../worker/index.js';
import { listDeadLetters, redrive } from './dead-letters.js';
import { JobRequests } from './job.requests.js';
import { type IterationStatus, statusOf } from './status.js';

/** A job, or where it is. */
export type JobRef = Job | { queue: string; id: string };

/** BullMQ's options of a job, and the `cursor` after which it starts. */
export type EnqueueOptions = JobsOptions & { cursor?: Cursor };

/** Who asks for something, and why, for people. */
export interface AskedOptions {
  by?: string;
  reason?: string;
}

/** It is kept with the job, and shown. */
const LONGEST_TEXT = 1_000;
const text: Rule = (value) =>
  (typeof value === 'string' && value !== '' && value.length <= LONGEST_TEXT) ||
  `a text of 1 to ${LONGEST_TEXT} characters`;

/** Adds, shows and controls iterative jobs, from any process that registered the queue (R28). */
@Injectable()
export class IterationService {
  readonly #logger = new Logger('Iteration');
  readonly #warned = new WeakSet<Type>();
  readonly #requests = new WeakMap<Queue, JobRequests>();

  constructor(
    private readonly queues: QueueFinder,
    private readonly registrar: WorkerRegistrar,
  ) {}

  /**
   * Adds a job of a processor to its queue. The job's name is the processor's `name`, else the class name.
   *
   * @param options BullMQ's job options. `cursor` is stored with the job, before a worker can take it.
   * @throws InvalidOptionsError for `deduplication.replace`, which could delete a job that has started (R5).
   * @throws InvalidProcessorError when the class is no processor, its queue is not registered, or this application's
   *   worker of that queue does not know it.
   * @throws InvalidCursorError for a cursor that JSON would change.
   */
  async enqueue<P>(
    processor: Type<P>,
    ...[data, { cursor, ...options } = {}]: unknown extends DataOf<P>
      ? [data?: DataOf<P>, options?: EnqueueOptions]
      : [data: DataOf<P>, options?: EnqueueOptions]
  ): Promise<Job<DataOf<P>>> {
    const { queue, jobName } = this.#placeOf(processor);
    if (options.deduplication?.replace) {
      throw new InvalidOptionsError(
        `enqueue(${processor.name}): "deduplication.replace" could delete a job that has started. Leave it out: then a job ` +
          'of the same deduplication id is not added while one is there',
      );
    }
    if (cursor !== undefined) checkJson(cursor);
    const start = cursor === undefined || cursor === null ? {} : startAfter(cursor);
    return (await queue.queue.add(jobName, data ?? {}, { ...options, ...start })) as Job<DataOf<P>>;
  }

  /**
   * What is known of a job, as of its last checkpoint.
   *
   * @throws JobNotFoundError when the queue holds no such job.
   */
  async status(ref: JobRef): Promise<IterationStatus> {
    const requests = this.#requestsOf(ref);
    const { job, state } = await requests.find(ref.id as string);
    return statusOf(job, state, await requests.controlOf(job.id as string));
  }

  /**
   * Stops a job until `resume`: a running one before its next item, within two seconds; one that waits handles no further item.
   * It keeps its id, data, attempts and cursor, holds no worker, and survives restarts. Pausing a paused job changes nothing.
   *
   * A job that completes first is complete.
   *
   * @param options Who asks, and why: `status` shows both.
   * @throws JobNotFoundError
   * @throws JobStateError for a job that has ended.
   */
  async pause(ref: JobRef, options: AskedOptions = {}): Promise<void> {
    check('pause', options, { by: text, reason: text });
    await this.#requestsOf(ref).pause(ref.id as string, options);
  }

  /**
   * Withdraws `pause`, or a `cancel` that has not taken effect: the job continues after its cursor. Does nothing for a job that
   * is not paused.
   *
   * @throws JobNotFoundError
   * @throws JobStateError for a job that has ended.
   */
  async resume(ref: JobRef, options: Pick<AskedOptions, 'by'> = {}): Promise<void> {
    check('resume', options, { by: text });
    await this.#requestsOf(ref).resume(ref.id as string, options);
  }

  /**
   * Ends a job as failed, with an IterationCancelledError, after its `cancel` hooks. Of a running one the handler's `signal`
   * aborts within two seconds. A job that waits is `cancelling` until a worker takes it.
   *
   * @param options The reason, or who asks and why.
   * @throws JobNotFoundError
   * @throws JobStateError for a job that has ended.
   */
  async cancel(ref: JobRef, options: string | AskedOptions = {}): Promise<void> {
    const asked = typeof options === 'string' ? { reason: options } : options;
    check('cancel', asked, { by: text, reason: text });
    await this.#requestsOf(ref).cancel(ref.id as string, asked);
  }

  /**
   * Starts a job anew that is not running, whatever its state: waiting, paused, failed, cancelled or completed. It has a fresh
   * budget of attempts, and calls its `start` hooks again. A request to pause or cancel it is withdrawn.
   *
   * @param options `cursor`: after which item. Default: where the job began.
   * @throws JobNotFoundError
   * @throws JobStateError for a running job: pause it first.
   * @throws InvalidCursorError for a cursor that JSON would change.
   */
  async restart(ref: JobRef, options: { cursor?: Cursor } = {}): Promise<void> {
    check('restart', options, ['cursor']);
    if (options.cursor !== undefined) checkJson(options.cursor);
    await this.#requestsOf(ref).restart(ref.id as string, options.cursor);
  }

  /**
   * The last 20 requests to a job, oldest first: who asked for what, when and why.
   *
   * @throws JobNotFoundError
   */
  async requests(ref: JobRef): Promise<readonly ControlEvent[]> {
    const requests = this.#requestsOf(ref);
    const { job } = await requests.find(ref.id as string);
    return (await requests.controlOf(job.id as string)).history;
  }

  /**
   * The last 20 runs of a job, oldest first.
   *
   * @throws JobNotFoundError
   */
  async runs(ref: JobRef): Promise<IterationRun[]> {
    const requests = this.#requestsOf(ref);
    const { job, state } = await requests.find(ref.id as string);
    const lines = await requests.store.history(job);
    return readHistory(lines, state === 'active' ? readCheckpoint(job.progress) : undefined);
  }

  /**
   * A job's dead letters, in the order in which its items were skipped. They stay when the job is removed.
   *
   * @param options `start` and `end` count from 0, both included; negative ones from the end. Default: all.
   */
  deadLetters(ref: JobRef, options: { start?: number; end?: number } = {}): Promise<DeadLetter[]> {
    return listDeadLetters(this.#queueOf(ref), ref.id as string, options);
  }

  /**
   * Adds a job over exactly the dead letters that a job has now: it looks for each item in the source as it is then, and
   * handles it; the letter is removed when that has succeeded, and written anew when not. While such a job is there, it is
   * given back, and none is added.
   *
   * @throws JobStateError when there is no dead letter.
   */
  redrive(ref: JobRef): Promise<Job> {
    return redrive(this.#queueOf(ref), ref.id as string);
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

    const queue = this.#queue(options.queue);
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

  #requestsOf(ref: JobRef): JobRequests {
    const { queue } = this.#queueOf(ref);
    const requests = this.#requests.get(queue) ?? new JobRequests(queue, checkpointStoreOf(queue));
    this.#requests.set(queue, requests);
    return requests;
  }

  #queueOf(ref: JobRef): RegisteredQueue {
    return 'queueName' in ref ? this.#queueHolding(ref) : this.#queue(ref.queue);
  }

  #queueHolding(job: Job): RegisteredQueue {
    return this.queues.holding(job) ?? notRegistered(job.queueName);
  }

  #queue(name: string): RegisteredQueue {
    return this.queues.find(name) ?? notRegistered(name);
  }
}

function notRegistered(name: string): never {
  throw new InvalidOptionsError(
    `The queue "${name}" is not registered in this application: BullModule.registerQueue({ name: '${name}' })`,
  );
}
