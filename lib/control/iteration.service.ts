import { Injectable, type OnModuleDestroy, type Type } from '@nestjs/common';
import type { Job } from 'bullmq';
import type { Observable } from 'rxjs';
import type { ControlEvent, IterationRun, TunedSettings } from '../checkpoint/index.js';
import { readCheckpoint, readHistory } from '../checkpoint/index.js';
import type { Cursor } from '../cursor.js';
import type { DeadLetter } from '../dead-letters/index.js';
import type { DataOf } from '../decorators/index.js';
import { QueueFinder } from '../discovery/index.js';
import { EventPublisher } from '../events/index.js';
import { WorkerRegistrar } from '../worker/index.js';
import { askOfAll, type BulkResult } from './bulk.js';
import { type AskedOptions, checkAsked, checkBulk, checkFilter, checkRestart, checkTuned } from './checks.js';
import { ControlledQueues, type JobRef } from './controlled.queue.js';
import { listDeadLetters } from './dead-letters.js';
import { type EnqueueOptions, Enqueuer } from './enqueue.js';
import { type JobFilter, listJobs, type Range } from './job.list.js';
import { QueueWatches } from './job.watch.js';
import type { IterationStatus } from './status.js';

/**
 * Adds, shows and controls iterative jobs, from any process that registered their queue (R28). Every method that is given a job
 * throws a JobNotFoundError when the queue holds no such job.
 */
@Injectable()
export class IterationService implements OnModuleDestroy {
  readonly #queues: ControlledQueues;
  readonly #enqueuer: Enqueuer;
  readonly #watches = new QueueWatches();

  /** @hidden */
  constructor(queues: QueueFinder, registrar: WorkerRegistrar, publisher: EventPublisher) {
    this.#queues = new ControlledQueues(queues, registrar, publisher);
    this.#enqueuer = new Enqueuer(this.#queues, registrar);
  }

  /** @hidden */
  async onModuleDestroy(): Promise<void> {
    await this.#watches.close();
  }

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
    ...[data, options]: unknown extends DataOf<P>
      ? [data?: DataOf<P>, options?: EnqueueOptions]
      : [data: DataOf<P>, options?: EnqueueOptions]
  ): Promise<Job<DataOf<P>>> {
    return this.#enqueuer.add(processor, data, options);
  }

  /** What is known of a job, as of its last checkpoint. */
  async status(ref: JobRef): Promise<IterationStatus> {
    const queue = this.#queues.of(ref);
    const { job, state } = await queue.requests.find(ref.id as string);
    return queue.wholeStatusOf(job, state, await queue.requests.controlOf(job.id as string));
  }

  /**
   * The statuses of a queue's jobs: running ones first, then those that wait, failed and completed ones, the latest first. Parts
   * of a job are left out, and listed in their order with `partOf`. Each part of a listed job is read, once, for the job's sum.
   *
   * @param options Which jobs; `start` and `end` count them. Default: the first 100; `end: -1`: all.
   * @throws JobNotFoundError when there is no job `partOf`.
   */
  async list(queue: string, { start, end, ...filter }: JobFilter & Range = {}): Promise<IterationStatus[]> {
    checkFilter(filter);
    return listJobs(this.#queues.of({ queue, id: '' }), filter, { start, end });
  }

  /** The status of a job, now and at each change, from BullMQ's events. It completes when the job has ended or was removed. */
  watch(ref: JobRef): Observable<IterationStatus> {
    return this.#watches.watch(this.#queues.registered(ref), ref.id as string, () => this.status(ref));
  }

  /** The last 20 runs of a job, oldest first. */
  async runs(ref: JobRef): Promise<IterationRun[]> {
    const { requests, store } = this.#queues.of(ref);
    const { job, state } = await requests.find(ref.id as string);
    return readHistory(await store.history(job), state === 'active' ? readCheckpoint(job.progress) : undefined);
  }

  /** The last 20 requests to a job, oldest first: who asked for what, when and why. */
  async requests(ref: JobRef): Promise<readonly ControlEvent[]> {
    const { requests } = this.#queues.of(ref);
    const { job } = await requests.find(ref.id as string);
    return (await requests.controlOf(job.id as string)).history;
  }

  /**
   * Stops a job until `resume`: a running one before its next item, within two seconds; one that waits handles no further item.
   * It holds no worker, and survives restarts. Pausing a paused job changes nothing. A job that completes first is complete.
   *
   * @param options Who asks, and why: `status` shows both.
   * @throws JobStateError for a job that has ended, or whose `cancel` hooks may have been called.
   */
  async pause(ref: JobRef, options: AskedOptions = {}): Promise<void> {
    checkAsked('pause', options);
    await this.#queues.of(ref).requests.pause(ref.id as string, options);
  }

  /**
   * Withdraws `pause`, or a `cancel` that has not taken effect: the job continues after its cursor. Else it changes nothing.
   *
   * @throws JobStateError for a job that has ended, or whose `cancel` hooks may have been called.
   */
  async resume(ref: JobRef, options: Pick<AskedOptions, 'by'> = {}): Promise<void> {
    checkAsked('resume', options);
    await this.#queues.of(ref).resume(ref.id as string, options);
  }

  /**
   * Ends a job as failed, with an IterationCancelledError, after its `cancel` hooks. Of a running one the handler's `signal`
   * aborts within two seconds. A job that waits is `cancelling` until a worker takes it.
   *
   * @param options The reason, or who asks and why.
   * @throws JobStateError for a job that has ended.
   */
  async cancel(ref: JobRef, options: string | AskedOptions = {}): Promise<void> {
    const asked = typeof options === 'string' ? { reason: options } : options;
    checkAsked('cancel', asked);
    await this.#queues.of(ref).cancel(ref.id as string, asked);
  }

  /**
   * Starts a job anew that is not running, whatever its state: waiting, paused, failed, cancelled or completed. It has a fresh
   * budget of attempts, and calls its `start` hooks again. A request to pause or cancel it is withdrawn.
   *
   * @param options `cursor`: after which item. Default: where the job began.
   * @throws JobStateError for a running job: pause it first.
   * @throws InvalidCursorError for a cursor that JSON would change.
   */
  async restart(ref: JobRef, options: { cursor?: Cursor } = {}): Promise<void> {
    checkRestart(options);
    await this.#queues.of(ref).restart(ref.id as string, options.cursor);
  }

  /**
   * Changes settings of a job, also while it runs (R31): in force within two seconds, a batch size from the batch after the next.
   * They hold for all its later runs. A setting that is left out keeps its value.
   *
   * @param settings `itemsPerSecond: null`: no limit.
   * @throws JobStateError for a job that has ended.
   * @throws InvalidOptionsError also for `itemConcurrency` of a job that handles one item after another.
   */
  async tune(ref: JobRef, settings: TunedSettings): Promise<void> {
    await this.#queues.of(ref).requests.tune(ref.id as string, checkTuned(settings));
  }

  /**
   * Pauses, resumes, cancels or restarts every job of a queue that a filter chooses. A call that was cut off is resumed by
   * calling it again: what is asked of a job twice changes nothing.
   */
  async bulk(
    queue: string,
    action: 'pause' | 'resume' | 'cancel' | 'restart',
    { by, reason, ...filter }: JobFilter & AskedOptions = {},
  ): Promise<BulkResult> {
    checkBulk(action, { by, reason }, filter);
    const controlled = this.#queues.of({ queue, id: '' });
    const { requests } = controlled;
    return askOfAll(controlled, filter, (id) => {
      if (action === 'restart') return controlled.restart(id, undefined);
      return action === 'pause' ? requests.pause(id, { by, reason }) : controlled[action](id, { by, reason });
    });
  }

  /**
   * A job's dead letters, in the order in which its items were skipped. They stay when the job is removed.
   *
   * @param options `start` and `end`; negative ones count from the end. Default: all.
   */
  deadLetters(ref: JobRef, options: Range = {}): Promise<DeadLetter[]> {
    return listDeadLetters(this.#queues.registered(ref), ref.id as string, options);
  }

  /**
   * Adds a job over exactly the dead letters that a job has now: it looks for each item in the source as it is then. A letter is
   * removed when its item succeeds, and written anew when not. While such a job is there, it is given back, and none is added.
   * Of a job with failed parts, those are retried first, and the job itself is given back.
   *
   * @throws JobStateError when there is no dead letter.
   */
  redrive(ref: JobRef): Promise<Job> {
    return this.#queues.of(ref).redrive(ref.id as string);
  }
}
