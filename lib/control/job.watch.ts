import { isDeepStrictEqual } from 'node:util';
import { Logger } from '@nestjs/common';
import { QueueEvents } from 'bullmq';
import { Observable, type Subscriber } from 'rxjs';
import { bullmqOf } from '../bullmq/index.js';
import type { RegisteredQueue } from '../discovery/index.js';
import { JobNotFoundError } from '../iteration.errors.js';
import { ENDED, type IterationStatus } from './status.js';

/** BullMQ's events that may change a job's status. A request of an operator comes as `progress`. */
const EVENTS = ['active', 'completed', 'delayed', 'failed', 'progress', 'removed', 'stalled', 'waiting'] as const;
/** Events may be missed while the backend is away. */
const LOOK_MS = 5_000;

type Listener = (event: { jobId: string }) => void;

/** BullMQ's events of each queue: one connection while anybody watches a job of it. */
export class QueueWatches {
  readonly #subscribers = new Set<Subscriber<IterationStatus>>();
  readonly #open = new Map<string, { readonly events: QueueEvents; watchers: number }>();

  readonly #logger = new Logger('Iteration');
  readonly #onError = (error: Error) => this.#logger.warn(`Watching jobs: ${error.message}`);

  /**
   * The status of a job: now, and at each change. It completes when the job has ended, or was removed.
   *
   * @param read Rejects with a JobNotFoundError when the job is gone.
   */
  watch(queue: RegisteredQueue, id: string, read: () => Promise<IterationStatus>): Observable<IterationStatus> {
    return new Observable((subscriber) => {
      this.#subscribers.add(subscriber);
      const job = new WatchedJob(subscriber, read);
      const look = () => void job.look();
      const listener: Listener = ({ jobId }) => {
        if (jobId === id) look();
      };
      const leave = this.#join(queue, listener, look);
      const looks = setInterval(look, LOOK_MS).unref();
      look();
      return () => {
        this.#subscribers.delete(subscriber);
        clearInterval(looks);
        leave();
      };
    });
  }

  /** The application ends: so does every response that watches a job. */
  async close(): Promise<void> {
    for (const subscriber of this.#subscribers) subscriber.complete();
    const open = [...this.#open.values()];
    this.#open.clear();
    await Promise.all(open.map(({ events }) => events.close()));
  }

  #join(queue: RegisteredQueue, listener: Listener, ready: () => void): () => void {
    const { connection, name, prefix } = queue;
    const key = `${prefix}:${name}`;
    let open = this.#open.get(key);
    if (!open) {
      const events = new QueueEvents(name, { connection, ...(prefix !== undefined && { prefix }) });
      bullmqOf(events)?.patch(events);
      events.setMaxListeners(0);
      events.on('error', this.#onError);
      open = { events, watchers: 0 };
      this.#open.set(key, open);
    }
    const { events } = open;
    open.watchers++;
    for (const event of EVENTS) events.on(event, listener as never);
    events.waitUntilReady().then(ready, () => {}); // what happened before it listened
    return () => {
      for (const event of EVENTS) events.off(event, listener as never);
      const joined = this.#open.get(key);
      if (joined?.events !== events || --joined.watchers > 0) return;
      this.#open.delete(key);
      events.close().catch(this.#onError);
    };
  }
}

/** What a subscriber has seen of a job. */
class WatchedJob {
  #last: IterationStatus | undefined;
  #isLooking = false;
  #looksAgain = false;

  constructor(
    private readonly subscriber: Subscriber<IterationStatus>,
    private readonly read: () => Promise<IterationStatus>,
  ) {}

  /** Called at each sign of a change. One read at a time, and one more when a sign came meanwhile. */
  async look(): Promise<void> {
    this.#looksAgain = true;
    if (this.#isLooking) return;
    this.#isLooking = true;
    while (this.#looksAgain && !this.subscriber.closed) {
      this.#looksAgain = false;
      await this.read().then(
        (status) => this.#publish(status),
        (error: unknown) => this.#fail(error),
      );
    }
    this.#isLooking = false;
  }

  #publish(status: IterationStatus): void {
    if (!isDeepStrictEqual(status, this.#last)) this.subscriber.next(status);
    this.#last = status;
    if (ENDED.includes(status.state)) this.subscriber.complete();
  }

  #fail(error: unknown): void {
    if (!(error instanceof JobNotFoundError)) return; // the backend is away: later
    if (this.#last) this.subscriber.complete();
    else this.subscriber.error(error);
  }
}
