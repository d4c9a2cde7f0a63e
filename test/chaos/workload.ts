import { setTimeout as delay } from 'node:timers/promises';
import type { Queue } from 'bullmq';
import { randomOf } from '../support/random.js';
import type { RecordRow } from './ledger.js';
import { GROUP, KINDS, MAX_SIZE } from './sources.js';
import type { ChaosData } from './worker.config.js';

/** So many jobs are there at any time. */
const JOBS = 8;
const LOOK_MS = 250;
/** An answer that takes longer is written down. */
const SLOW_MS = 100;

export interface WorkloadOptions {
  readonly seed: number;
  /** Records of the largest job. */
  readonly largest?: number;
  /** No further job is added. */
  readonly isOver: () => boolean;
  /** How long the last jobs may take then. */
  readonly graceMs: number;
  readonly record: (row: RecordRow) => void;
}

/** Jobs of every kind of source, one after the other; where one has ended, the next is added. */
export class Workload {
  readonly #random: () => number;
  readonly #open = new Map<string, string>();
  #added = 0;

  constructor(
    private readonly queue: Queue,
    private readonly options: WorkloadOptions,
  ) {
    this.#random = randomOf(options.seed);
  }

  /** Until it is over; then, until every job has ended, or the grace is over too. */
  async keepUp(): Promise<void> {
    const { graceMs, isOver, record } = this.options;
    let lastMs = Infinity;
    while (!isOver() || (this.#open.size > 0 && Date.now() < lastMs)) {
      if (isOver()) lastMs = Math.min(lastMs, Date.now() + graceMs);
      // Redis may be away: then it is looked at again.
      await this.#look().catch(() => {});
      await delay(LOOK_MS);
    }
    for (const [job, state] of this.#open) record({ at: Date.now(), type: 'unsettled', job, state });
  }

  async #look(): Promise<void> {
    for (const id of this.#open.keys()) {
      const state = await this.#stateOf(id);
      this.#open.set(id, state);
      if (state !== 'completed' && state !== 'failed') continue;
      const { attemptsMade = 0 } = (await this.queue.getJob(id)) ?? {};
      this.#open.delete(id);
      this.options.record({ at: Date.now(), type: 'settled', job: id, state, attemptsMade });
    }
    while (!this.options.isOver() && this.#open.size < JOBS) await this.#add();
  }

  async #stateOf(id: string): Promise<string> {
    const askedAt = Date.now();
    const state = await this.queue.getJobState(id);
    const ms = Date.now() - askedAt;
    if (ms > SLOW_MS) this.options.record({ at: Date.now(), type: 'slow', ms });
    return state;
  }

  async #add(): Promise<void> {
    const kind = KINDS[this.#added % KINDS.length] as (typeof KINDS)[number];
    const { largest = MAX_SIZE } = this.options;
    const random = this.#random;
    // As many short ones, that often begin and end, as long ones
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
    // The answer may get lost: to add the same again changes nothing.
    for (;;) {
      try {
        await this.queue.add(kind, data, { jobId: id, attempts: 5, backoff });
        return;
      } catch {
        await delay(LOOK_MS);
      }
    }
  }
}
