import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { ControlEvent, IterationResult, IterationStatus } from '../../lib/index.js';
import { randomOf } from '../support/random.js';
import type { PartedPlan, RecordRow, Seen } from './ledger.js';
import { partedJob } from './parted.js';
import { GROUP, KINDS, MAX_SIZE } from './sources.js';
import type { Web } from './web.js';
import type { ChaosData } from './worker.config.js';

/** Number of jobs at any time. */
const JOBS = 8;
const LOOK_MS = 250;
/** One of so many jobs is in parts, beginning with the second one. */
const EVERY = 3;
const PARTED_AT = 1;
/** An answer that takes longer is recorded. */
const SLOW_MS = 100;
const ENDED: readonly string[] = ['completed', 'failed', 'cancelled'];

export interface WorkloadOptions {
  readonly seed: number;
  /** Whether jobs are split into parts: some of them, all or none. */
  readonly jobs: 'all' | 'parted' | 'whole';
  /** Records of the largest job. */
  readonly largest?: number;
  /** Whether the time to add jobs is over. */
  readonly isOver: () => boolean;
  /** Jobs that are added also after that: on a slow machine few of them end in time. */
  readonly leastJobs?: number;
  /** How long the last jobs may take after that. */
  readonly graceMs: number;
  readonly record: (row: RecordRow) => void;
}

/** Adds jobs of every kind of source in turn, and every third one in parts: when a job has ended, the next one is added. */
export class Workload {
  readonly #random: () => number;
  readonly #open = new Map<string, string>();
  /** The requests that were seen in the history of each job. */
  readonly #requests = new Map<string, ControlEvent[]>();
  /** What was last seen of each job in parts. */
  readonly #seen = new Map<string, Seen>();
  readonly #parted = new Set<string>();
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
    while (!this.#hasAll()) await this.#lookWhenUp();
  }

  /** Nobody asks for anything any more. Each job must end by itself, or is resumed once it is seen that it is paused. */
  async finish(): Promise<void> {
    const { graceMs, record } = this.options;
    const lastMs = Date.now() + graceMs;
    while (this.#open.size > 0 && Date.now() < lastMs) {
      await this.#lookWhenUp();
      for (const [id, state] of this.#open) if (state === 'paused') await this.#resume(id).catch(() => {});
      await this.#resumeParts().catch(() => {});
    }
    for (const [job, state] of this.#open) record({ at: Date.now(), type: 'unsettled', job, state });
  }

  async #lookWhenUp(): Promise<void> {
    await this.#look().catch(() => {}); // Redis may be down: look again
    await delay(LOOK_MS);
  }

  async #look(): Promise<void> {
    for (const id of [...this.#open.keys()]) {
      const status = await (this.#parted.has(id) ? this.#partedStatusOf(id) : this.#statusOf(id));
      await this.#noteRequests(id);
      this.#open.set(id, status.state);
      if (!ENDED.includes(status.state)) continue;
      const { attemptsMade = 0, returnvalue } = (await this.web.queue.getJob(id)) ?? {};
      this.#open.delete(id);
      const { itemsPerSecond } = status.settings;
      this.options.record({
        at: Date.now(),
        type: 'settled',
        job: id,
        state: status.state,
        attemptsMade,
        itemsPerSecond,
        ...(this.#parted.has(id) && countsOf(status, returnvalue)),
      });
    }
    while (!this.#hasAll() && this.#open.size < JOBS) await this.#add();
  }

  #hasAll(): boolean {
    const { isOver, leastJobs = 0 } = this.options;
    return isOver() && this.#added >= leastJobs;
  }

  async #statusOf(id: string): Promise<IterationStatus> {
    return this.#timed(() => this.web.iterations.status({ queue: 'chaos', id }));
  }

  async #timed<T>(ask: () => Promise<T>): Promise<T> {
    const askedAt = Date.now();
    const answer = await ask();
    const ms = Date.now() - askedAt;
    if (ms > SLOW_MS) this.options.record({ at: Date.now(), type: 'slow', ms });
    return answer;
  }

  /** The status of a job with many parts takes long by itself. */
  async #partedStatusOf(id: string): Promise<IterationStatus> {
    const askedAt = Date.now();
    const status = await this.web.iterations.status({ queue: 'chaos', id });
    const waits = (await this.#timed(() => this.web.queue.getJobState(id))) === 'waiting-children';
    const { partStates = {}, percent = null, processed } = status;
    const open = Object.entries(partStates).reduce(
      (sum, [state, count]) => sum + (ENDED.includes(state) ? 0 : count),
      0,
    );
    const seen: Seen = { percent, processed, waits, open };
    const isStuck = waits && open === 0;
    if (isStuck || !isDeepStrictEqual(this.#seen.get(id), seen))
      this.options.record({ at: Date.now(), type: 'seen', job: id, askedAt, ...seen });
    this.#seen.set(id, seen);
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

  /** Parts that were paused alone. */
  async #resumeParts(): Promise<void> {
    const { iterations } = this.web;
    const parted = [...this.#open.keys()].filter((id) => this.#parted.has(id));
    const lists = parted.map((partOf) => iterations.list('chaos', { partOf, states: ['paused'], end: -1 }));
    for (const { id } of (await Promise.all(lists)).flat()) {
      const asked = { job: id, by: 'the end', request: 'resume', outcome: 'ok', before: 'open' } as const;
      this.options.record({ at: Date.now(), askedAt: Date.now(), type: 'answer', ...asked });
      await iterations.resume({ queue: 'chaos', id }, { by: asked.by });
    }
  }

  async #add(): Promise<void> {
    const number = this.#added++;
    const { jobs, largest = MAX_SIZE } = this.options;
    const isParted = jobs === 'parted' || (jobs === 'all' && number % EVERY === PARTED_AT);
    const random = this.#random;
    // As many short jobs, which often begin and end, as long ones
    const size = Math.max(GROUP, Math.floor((largest * random() ** 2) / GROUP) * GROUP);
    const common = { itemMs: 2 + Math.floor(random() * 4), errorRate: random() < 0.5 ? 0.01 : 0 };
    if (!isParted) {
      const wholes = jobs === 'all' ? number - Math.ceil((number - PARTED_AT) / EVERY) : number;
      const kind = KINDS[wholes % KINDS.length] as (typeof KINDS)[number];
      return this.#addJob(`${number + 1}-${kind.replace(/\W/g, '-')}`, { name: kind, data: { kind, size, ...common } });
    }
    const parted = partedJob(jobs === 'parted' ? number : Math.floor(number / EVERY), { size, random });
    const id = `${number + 1}-${parted.name.replace(/\W/g, '-')}-${parted.data.kind.replace(/\W/g, '-')}`;
    this.#parted.add(id);
    return this.#addJob(id, { ...parted, data: { ...parted.data, ...common } });
  }

  async #addJob(
    id: string,
    { data, name, plan }: { readonly name: string; readonly data: ChaosData; readonly plan?: PartedPlan },
  ): Promise<void> {
    this.#open.set(id, 'added');
    this.options.record({ at: Date.now(), type: 'added', job: id, size: data.size, ...(plan && { parted: plan }) });
    const backoff = { type: 'fixed', delay: 20 };
    // The answer may get lost: adding the same job again changes nothing.
    for (;;) {
      try {
        await this.web.queue.add(name, data, { jobId: id, attempts: 5, backoff });
        return;
      } catch {
        await delay(LOOK_MS);
      }
    }
  }
}

/** A job that has completed says it in its result, which is final. */
function countsOf({ processed, skipped }: IterationStatus, result?: Partial<IterationResult> | null) {
  return { processed, skipped, ...result };
}
