import { setTimeout as delay } from 'node:timers/promises';
import type { Queue } from 'bullmq';
import { randomOf } from '../support/random.js';
import type { RecordRow } from './ledger.js';
import { GROUP, KINDS, MAX_SIZE } from './sources.js';
import type { ChaosData } from './worker.config.js';

/** Number of jobs at any time. */
const JOBS = 8;
const LOOK_MS = 250;
/** An answer that takes longer is recorded. */
const SLOW_MS = 100;

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
  #added = 0;

  constructor(
    private readonly queue: Queue,
    private readonly options: WorkloadOptions,
  ) {
    this.#random = randomOf(options.seed);
  }

  /** Adds jobs until `isOver`, then waits until every job has ended or the grace time is over. */
  async keepUp(): Promise<void> {
    const { graceMs, isOver, record } = this.options;
    let lastMs = Infinity;
    while (!isOver() || (this.#open.size > 0 && Date.now() < lastMs)) {
      if (isOver()) lastMs = Math.min(lastMs, Date.now() + graceMs);
      // Redis may be down: look again.
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
        await this.queue.add(kind, data, { jobId: id, attempts: 5, backoff });
        return;
      } catch {
        await delay(LOOK_MS);
      }
    }
  }
}
