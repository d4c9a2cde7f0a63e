import { type ControlRequest, Progress } from '../checkpoint/index.js';
import { toError } from '../enumerators/contract/index.js';
import { isOutage, retryWhileHeld } from '../interruption/index.js';
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
    const { life, settled } = checkpoint.current;
    const { asked, isRetried } = this.options;
    const whileHeld = <T>(work: () => Promise<T>) => retryWhileHeld(lock, work, isOutage);
    const values = await partsOf(this.run, { context, life, makes: !asked });
    lock.assertHeld();
    if (interruption.pending) return { type: 'interrupted', interruption: interruption.pending, isBegun: false };
    const parts = new PartJobs({ job, queue, life }, values);
    if (asked) return this.#cancel(asked, parts);
    await this.#begin();
    const cleanUp = () => parts.removeCompleted();
    if (settled) return { type: 'complete', ...settled, cleanUp };
    await whileHeld(() => parts.add({ retriesFailed: isRetried }));
    const results = await whileHeld(() => parts.results());
    this.#count(results);
    if (results.pending > 0) return { type: 'waits for parts' };
    return { type: 'complete', ...(await this.#settle(results, values.length)), cleanUp };
  }

  /** The parts end first: what they have handled is counted. */
  async #cancel(asked: ControlRequest, parts: PartJobs): Promise<RunOutcome> {
    const { store } = this.run;
    await parts.cancel(store, asked);
    const results = await parts.results();
    this.#count(results);
    return results.pending > 0 ? { type: 'waits for parts' } : { type: 'cancelled', asked };
  }

  async #begin(): Promise<void> {
    const { checkpoint, hooks, log } = this.run;
    this.isBegun = true;
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
}
