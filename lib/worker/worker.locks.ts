import type { Job, Worker } from 'bullmq';
import type { Clock } from '../clock.js';
import type { InterruptionRequest, Lock } from '../interruption/index.js';

/** A job that a worker runs, and what it holds it by. */
export interface ActiveRun {
  readonly job: Job;
  readonly lock: Lock;
  readonly interruption: InterruptionRequest;
}

/** How often the clock is asked whether a lock has ended while its run waits for something else. */
const LOOK_MS = 250;

/** The locks of the jobs that a worker runs: BullMQ renews them, and tells nobody which, nor when it asked. */
export class WorkerLocks {
  constructor(
    private readonly worker: Worker,
    private readonly active: ReadonlySet<ActiveRun>,
    private readonly clock: Clock,
  ) {
    this.#hearOfRenewals();
    this.#renewTheLatest();
  }

  /** Until the worker is closed: a handler that waits for long, or a command that hangs, must not keep its run from being told. */
  watch(): void {
    const looks = setInterval(() => {
      const now = this.clock.now();
      for (const { lock } of this.active) lock.check(now);
    }, LOOK_MS).unref();
    this.worker.once('closed', () => clearInterval(looks));
  }

  #hearOfRenewals(): void {
    const { active, clock, worker } = this;
    const extend = worker.extendJobLocks.bind(worker);
    worker.extendJobLocks = async (ids, tokens, duration) => {
      const sentAt = clock.now();
      const lost = await extend(ids, tokens, duration);
      for (const { job, lock } of active) {
        const index = ids.indexOf(job.id as string);
        if (index < 0 || tokens[index] !== lock.token) continue;
        if (lost.includes(job.id as string)) lock.lose();
        else lock.confirm(sentAt);
      }
      return lost;
    };
  }

  /**
   * After an outage a worker may take a job again whose run before has not ended yet. BullMQ keeps one lock for each job:
   * at the end of that run it would stop to renew the lock of the new one.
   */
  #renewTheLatest(): void {
    const { lockManager } = this.worker as unknown as {
      lockManager: { untrackJob(id: string): void; trackedJobs: ReadonlyMap<string, { token: string }> };
    };
    const untrack = lockManager.untrackJob.bind(lockManager);
    lockManager.untrackJob = (id) => {
      const tracked = lockManager.trackedJobs.get(id)?.token;
      const runs = [...this.active].some(({ job, lock }) => job.id === id && lock.token === tracked);
      if (!runs) untrack(id);
    };
  }
}
