import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { ControlEvent, IterationStatus } from '../../lib/index.js';
import { randomOf } from '../support/random.js';
import type { RecordRow } from './ledger.js';
import { GROUP, KINDS, MAX_SIZE } from './sources.js';
import type { Web } from './web.js';
import type { ChaosData } from './worker.config.js';

/** Number of jobs at any time. */
const JOBS = 8;
const LOOK_MS = 250;
/** An answer that takes longer is recorded. */
const SLOW_MS = 100;
const ENDED: readonly string[] = ['completed', 'failed', 'cancelled'];

export interface WorkloadOptions {
  readonly seed: number;
  /** Records of the largest job. */
  readonly largest?: number;
  /** Whether to stop adding jobs. */
  readonly isOver: () => boolean;
  /** How long the last jobs may take after that. */
  readonly graceMs: number;
  readonly record: (row: RecordRow) => void;
}

/** Adds jobs of every kind of source in turn: when a job has ended, the next one is added. */
export class Workload {
  readonly #random: () => number;
  readonly #open = new Map<string, string>();
  /** The requests that were seen in the history of each job. */
  readonly #requests = new Map<string, ControlEvent[]>();
  #added = 0;

  constructor(
    private readonly web: Web,
    private readonly options: WorkloadOptions,
  ) {
    this.#random = randomOf(options.seed);
  }

  /** An operator has restarted a job that had ended. */
  reopen(job: string): void {
    this.#open.set(job, 'restarted');
  }

  /** Adds jobs until `isOver`. */
  async keepUp(): Promise<void> {
    while (!this.options.isOver()) await this.#lookWhenUp();
  }

  /** Nobody asks for anything any more. Each job must end by itself, or is resumed once it is seen that it is paused. */
  async finish(): Promise<void> {
    const { graceMs, record } = this.options;
    const lastMs = Date.now() + graceMs;
    while (this.#open.size > 0 && Date.now() < lastMs) {
      await this.#lookWhenUp();
      for (const [id, state] of this.#open) if (state === 'paused') await this.#resume(id).catch(() => {});
    }
    for (const [job, state] of this.#open) record({ at: Date.now(), type: 'unsettled', job, state });
  }

  async #lookWhenUp(): Promise<void> {
    await this.#look().catch(() => {}); // Redis may be down: look again
    await delay(LOOK_MS);
  }

  async #look(): Promise<void> {
    for (const id of [...this.#open.keys()]) {
      const status = await this.#statusOf(id);
      await this.#noteRequests(id);
      this.#open.set(id, status.state);
      if (!ENDED.includes(status.state)) continue;
      const { attemptsMade = 0 } = (await this.web.queue.getJob(id)) ?? {};
      this.#open.delete(id);
      const { itemsPerSecond } = status.settings;
      this.options.record({
        at: Date.now(),
        type: 'settled',
        job: id,
        state: status.state,
        attemptsMade,
        itemsPerSecond,
      });
    }
    while (!this.options.isOver() && this.#open.size < JOBS) await this.#add();
  }

  async #statusOf(id: string): Promise<IterationStatus> {
    const askedAt = Date.now();
    const status = await this.web.iterations.status({ queue: 'chaos', id });
    const ms = Date.now() - askedAt;
    if (ms > SLOW_MS) this.options.record({ at: Date.now(), type: 'slow', ms });
    return status;
  }

  async #noteRequests(job: string): Promise<void> {
    const seen = this.#requests.get(job) ?? [];
    this.#requests.set(job, seen);
    for (const request of await this.web.iterations.requests({ queue: 'chaos', id: job })) {
      if (seen.some((known) => isDeepStrictEqual(known, request))) continue;
      seen.push(request);
      this.options.record({ at: Date.now(), type: 'request', job, request });
    }
  }

  /** A worker has put the paused job away, or it waits for the first one to do so. */
  async #resume(job: string): Promise<void> {
    this.options.record({ at: Date.now(), type: 'kept paused', job });
    await this.web.iterations.resume({ queue: 'chaos', id: job }, { by: 'the end' });
  }

  async #add(): Promise<void> {
    const kind = KINDS[this.#added % KINDS.length] as (typeof KINDS)[number];
    const { largest = MAX_SIZE } = this.options;
    const random = this.#random;
    // As many short jobs, which often begin and end, as long ones
    const size = Math.max(GROUP, Math.floor((largest * random() ** 2) / GROUP) * GROUP);
    const data: ChaosData = {
      kind,
      size,
      itemMs: 2 + Math.floor(random() * 4),
      errorRate: random() < 0.5 ? 0.01 : 0,
    };
    const id = `${++this.#added}-${kind.replace(/\W/g, '-')}`;
    this.#open.set(id, 'added');
    this.options.record({ at: Date.now(), type: 'added', job: id, size });
    const backoff = { type: 'fixed', delay: 20 };
    // The answer may get lost: adding the same job again changes nothing.
    for (;;) {
      try {
        await this.web.queue.add(kind, data, { jobId: id, attempts: 5, backoff });
        return;
      } catch {
        await delay(LOOK_MS);
      }
    }
  }
}
