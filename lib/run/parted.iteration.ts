import {
  type ControlRequest,
  changeControl,
  detachScheduler,
  Progress,
  withoutAnswered,
  withRequest,
} from '../checkpoint/index.js';
import { toError } from '../enumerators/contract/index.js';
import { isOutage, LockLostError, retryWhileHeld } from '../interruption/index.js';
import { PartFailedError } from '../iteration.errors.js';
import { PartJobs, type PartResults, partsOf } from '../parts/index.js';
import type { Run } from '../runtime/index.js';
import type { RunOutcome } from './finish.run.js';

/**
 * A run of a job that is split (R27). It adds the parts, and ends: the job holds no worker while BullMQ waits for them. The run
 * after that finds that they have ended, and settles the job.
 */
export class PartedIteration {
  /** Whether the `start` hooks were called, now or earlier. */
  isBegun = false;

  constructor(
    private readonly run: Run,
    private readonly options: {
      /** To cancel the job. */
      readonly asked: ControlRequest | undefined;
      /** The job had failed, and is retried by hand: so are its parts. */
      readonly isRetried: boolean;
    },
  ) {}

  async outcome(): Promise<RunOutcome> {
    try {
      return await this.#outcome();
    } catch (thrown) {
      const error = toError(thrown, this.run.definition.partitionsName);
      return { type: 'failed', error, isBegun: this.isBegun };
    }
  }

  async #outcome(): Promise<RunOutcome> {
    const { checkpoint, context, interruption, job, lock, queue } = this.run;
    const { life, partsAdded: areAdded = false, restarted = 0, settled } = checkpoint.current;
    const { asked, isRetried } = this.options;
    const values = await partsOf(this.run, { context, life, makes: !asked });
    lock.assertHeld();
    const parts = new PartJobs({ areAdded, job, life, lock, queue, restarted }, values);
    const cancellation = asked ?? (await this.#cancellation());
    if (cancellation) return this.#cancel(cancellation, parts);
    if (interruption.pending) return { type: 'interrupted', interruption: interruption.pending, isBegun: false };
    await this.#begin();
    const late = await this.#cancellation();
    if (late) return this.#cancel(late, parts);
    const cleanUp = () => this.#cleanUp(parts);
    const retriesSettled = isRetried && (settled?.failedParts.length ?? 0) > 0;
    if (settled && !retriesSettled) return { type: 'complete', ...settled, cleanUp };
    await this.#whileHeld(() => this.#withdrawAnswered());
    const results = await this.#whileHeld(() => parts.add({ retriesFailed: isRetried }));
    checkpoint.change({ partsAdded: true });
    this.#count(results);
    if (results.pending > 0) {
      await this.#cancellation(); // one by BullMQ's worker reaches the parts
      return { type: 'waits for parts' };
    }
    return { type: 'complete', ...(await this.#settle(results, values.length)), cleanUp };
  }

  /** Asked for since the run began. One by BullMQ's worker is noted with the job, where its parts find it. @throws LockLostError */
  async #cancellation(): Promise<ControlRequest | undefined> {
    const { control, interruption, job, store } = this.run;
    await control.read();
    const request = await control.requestNow();
    if (request?.type === 'cancel' || !interruption.cancelled) return request?.type === 'cancel' ? request : undefined;
    const { reason } = interruption.cancelled;
    const own: ControlRequest = { type: 'cancel', at: new Date().toISOString(), reason };
    await this.#whileHeld(() => changeControl(store, job.id as string, (known) => withRequest(known, own)));
    return own;
  }

  /** The parts end first: what they have handled is counted. */
  async #cancel(asked: ControlRequest, parts: PartJobs): Promise<RunOutcome> {
    const results = await this.#whileHeld(() => parts.results());
    this.#count(results);
    return results.pending > 0 ? { type: 'waits for parts' } : { type: 'cancelled', asked };
  }

  /** Parts heed what is asked of their job: a request that an earlier end of the job has answered must not reach them. */
  async #withdrawAnswered(): Promise<void> {
    const { control, job, store } = this.run;
    await changeControl(store, job.id as string, (known) => withoutAnswered(known, control.handled));
  }

  async #begin(): Promise<void> {
    const { checkpoint, hooks, log } = this.run;
    this.isBegun = true;
    await detachScheduler(this.run);
    if (checkpoint.current.started) return;
    log.started();
    await hooks.call('start', undefined);
    await checkpoint.flushSurely({ started: true });
  }

  #count({ processed, skipped }: PartResults): void {
    this.run.checkpoint.resumeFrom(new Progress(null, processed, skipped, processed + skipped));
  }

  /** From here on the parts are not looked at again. @throws PartFailedError */
  async #settle({ failed }: PartResults, of: number): Promise<{ failedParts: readonly string[] }> {
    const { checkpoint, definition } = this.run;
    const failedParts = failed.map(({ id }) => id);
    const [first] = failed;
    if (first && definition.partFailure === 'fail')
      throw new PartFailedError(failedParts, { of, reason: first.reason });
    await checkpoint.flushSurely({ settled: { failedParts } });
    return { failedParts };
  }

  /** The job is complete whatever becomes of its parts. */
  async #cleanUp(parts: PartJobs): Promise<void> {
    try {
      await this.#whileHeld(() => parts.removeCompleted());
    } catch (error) {
      if (error instanceof LockLostError) throw error;
      this.run.log.warn(`its completed parts could not be removed: ${String(error)}`);
    }
  }

  /** An outage is no failure of the job (R21). */
  #whileHeld<T>(work: () => Promise<T>): Promise<T> {
    return retryWhileHeld(this.run.lock, work, isOutage);
  }
}
