import type { Job, Worker } from 'bullmq';
import type { Clock } from '../clock.js';
import type { InterruptionRequest, Lock } from '../interruption/index.js';
import { keepLatestLock, listenToRenewals } from './bullmq.workarounds.js';

/** A job that a worker runs, and its lock. */
export interface LockedRun {
  readonly job: Job;
  readonly lock: Lock;
  readonly interruption: InterruptionRequest;
  /** The run has ended, and BullMQ moves the job: a renewal that crosses the move finds no lock. */
  isReporting: boolean;
}

/** How often the locks of runs that wait for something else are looked at. */
const LOOK_MS = 250;

/** Keeps the locks of a worker's runs up to date. BullMQ renews them. */
export function trackLocks(worker: Worker, active: ReadonlySet<LockedRun>, clock: Clock): void {
  const runs = (id: string, token: string | undefined) =>
    [...active].filter(({ job, lock }) => job.id === id && lock.token === token);
  listenToRenewals(worker, clock.now, ({ id, token, sentAt, isLost }) => {
    const renewed = runs(id, token).filter(({ isReporting }) => !(isLost && isReporting));
    for (const { lock } of renewed) {
      if (isLost) lock.lose();
      else lock.confirm(sentAt);
    }
    return renewed.length > 0;
  });
  keepLatestLock(worker, (id, token) => runs(id, token).length > 0);
}

/** Looks at the locks until the worker is closed: a run notices its lost lock also while a handler or a command hangs. */
export function watchLocks(worker: Worker, active: ReadonlySet<LockedRun>): void {
  const looks = setInterval(() => {
    for (const { lock } of active) lock.endIfExpired();
  }, LOOK_MS).unref();
  worker.once('closed', () => clearInterval(looks));
}
