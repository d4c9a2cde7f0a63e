import { setTimeout as delay } from 'node:timers/promises';
import { ErrorCode, type Job, type JobState, type Queue } from 'bullmq';
import {
  type Asked,
  type ControlEvent,
  type ControlRequest,
  type ControlStore,
  changeControl,
  type JobControl,
  readCheckpoint,
  readControl,
  recordEvent,
  restoreCheckpoint,
  type TunedSettings,
  withoutParked,
  withRequest,
} from '../checkpoint/index.js';
import type { Cursor } from '../cursor.js';
import type { Publisher } from '../events/index.js';
import { InvalidOptionsError, JobNotFoundError, JobStateError } from '../iteration.errors.js';
import { statusOf } from './status.js';

/** A worker that is about to delay a paused job has done so within this time, or has died. */
const PARK_MS = 10_000;
const LOOK_MS = 50;

/** A job, as BullMQ has it now. */
interface Found {
  readonly job: Job;
  readonly state: JobState | 'unknown';
}

/**
 * What operators ask of the jobs of one queue (R28): written beside the job, where its run, or its next one, finds it. BullMQ
 * itself moves no job that waits, so a worker does that when it takes the job. Only a job that is delayed is made to wait.
 */
export class JobRequests {
  constructor(
    private readonly queue: Queue,
    private readonly store: ControlStore,
    private readonly publisher: Publisher,
  ) {}

  /** @throws JobNotFoundError */
  async find(id: string): Promise<Found> {
    const state = await this.queue.getJobState(id);
    const job = (await this.queue.getJob(id)) as Job | undefined;
    if (!job) throw new JobNotFoundError(this.queue.name, id);
    return { job, state };
  }

  async controlOf(id: string): Promise<JobControl> {
    const [text] = await this.store.controls([id]);
    return readControl(text);
  }

  async pause(id: string, asked: Asked): Promise<void> {
    await this.#request(await this.#stoppable(id), { type: 'pause', ...asked });
  }

  async cancel(id: string, asked: Asked): Promise<void> {
    const { job } = await this.#unfinished(id);
    await this.#request({ job }, { type: 'cancel', ...asked });
    await this.wake(id);
  }

  async resume(id: string, { by }: Asked): Promise<void> {
    const { job } = await this.#stoppable(id);
    const { parked } = await this.#change(job, (control) => {
      if (!restoreCheckpoint(job, control).request) return control;
      return recordEvent(control, { type: 'resume', at: now(), by }, { request: undefined });
    });
    if (parked !== undefined) await this.#unpark(job, parked);
  }

  /** @param cursor Undefined: where the job began. */
  async restart(id: string, cursor: Cursor | undefined): Promise<void> {
    const { job, state } = await this.find(id);
    if (state === 'active')
      throw new JobStateError(this.queue.name, id, 'is running, so it cannot be restarted: pause it first');
    const from = cursor === undefined ? {} : { cursor };
    const { parked, restart } = await this.#change(job, (control) =>
      recordEvent(
        control,
        { type: 'restart', at: now(), ...from },
        { request: undefined, restart: { number: control.changes + 1, ...from } },
      ),
    );
    if (await this.retryEnded(id, restart?.number)) return;
    if (parked !== undefined || restoreCheckpoint(job).checkpoint.run > 0) await this.#unpark(job, parked);
  }

  async tune(id: string, settings: TunedSettings): Promise<void> {
    const { job } = await this.#unfinished(id);
    const isSequential = readCheckpoint(job.progress)?.settings?.isSequential;
    if (isSequential && (settings.itemConcurrency ?? 1) > 1)
      throw new InvalidOptionsError(
        `tune: job "${id}" of queue "${this.queue.name}" handles one item after another (transactions, or a redrive), so its itemConcurrency stays 1`,
      );
    await this.#change(job, (control) =>
      recordEvent(control, { type: 'tune', at: now(), settings }, { settings: { ...control.settings, ...settings } }),
    );
  }

  async #request({ job }: Pick<Found, 'job'>, asked: Omit<ControlRequest, 'at'>): Promise<JobControl> {
    const { processedOn } = job;
    return this.#change(job, (control) => {
      if (restoreCheckpoint(job, control).request?.type === asked.type) return control;
      return withRequest(control, { ...asked, at: now(), ...(processedOn !== undefined && { processedOn }) });
    });
  }

  /** @throws JobStateError for a job that has ended */
  async #unfinished(id: string): Promise<Found> {
    const found = await this.find(id);
    if (found.state !== 'completed' && found.state !== 'failed') return found;
    const { state } = statusOf(found.job, found.state, {});
    throw new JobStateError(this.queue.name, id, `has ended (${state}): only restart() and a retry start it again`);
  }

  /** @throws JobStateError also for a job whose cancellation was saved: its `cancel` hooks may have been called */
  async #stoppable(id: string): Promise<Found> {
    const found = await this.#unfinished(id);
    if (restoreCheckpoint(found.job).request?.type !== 'cancel') return found;
    throw new JobStateError(this.queue.name, id, 'was cancelled: only restart() starts it again');
  }

  /** @throws JobNotFoundError */
  async #change({ id = '', name }: Job, change: (control: JobControl) => JobControl): Promise<JobControl> {
    let asked: ControlEvent | undefined;
    const changed = await changeControl(this.store, id, (control) => {
      const next = change(control);
      asked = next.changes > control.changes ? next.history.at(-1) : undefined;
      return next;
    });
    if (!changed) throw new JobNotFoundError(this.queue.name, id);
    if (asked) {
      const { by, reason, type } = asked;
      this.publisher.publish('request', () => ({ queue: this.queue.name, id, name, type, by, reason }));
    }
    return changed;
  }

  /**
   * Retries a job that has ended, unless a run has begun with the restart of this number. Another process may ask for the same.
   *
   * @returns false when the job has not ended.
   */
  async retryEnded(id: string, number = Infinity): Promise<boolean> {
    for (;;) {
      const { job, state } = await this.find(id);
      if (state !== 'completed' && state !== 'failed') return false;
      if ((readCheckpoint(job.progress)?.restarted ?? 0) >= number) return true;
      try {
        await job.retry(state);
        return true;
      } catch (error) {
        if (!isRetried((error as { code?: number }).code)) throw error;
      }
    }
  }

  /** Lets a worker take a job that is delayed. */
  async wake(id: string): Promise<void> {
    const { job, state } = await this.find(id);
    const { parked } = await this.controlOf(id);
    if (parked !== undefined) await this.#unpark(job, parked);
    else if (state === 'delayed') await this.#promote(job);
  }

  /** A worker may be about to delay the job: then it cannot be promoted yet. */
  async #unpark(job: Job, parked: number | undefined): Promise<void> {
    const id = job.id as string;
    const until = Date.now() + PARK_MS;
    let state = await this.queue.getJobState(id);
    while (state === 'active' && Date.now() < until && (await this.controlOf(id)).parked !== undefined) {
      await delay(LOOK_MS);
      state = await this.queue.getJobState(id);
    }
    if (state === 'active') return; // its next run takes the note back
    if (state === 'delayed') await this.#promote(job);
    await this.#change(job, (control) => withoutParked(control, parked));
  }

  /** The worker that parked the job may have been faster. */
  async #promote(job: Job): Promise<void> {
    try {
      await job.promote();
    } catch (error) {
      if ((await this.queue.getJobState(job.id as string)) === 'delayed') throw error;
    }
  }
}

/** Whether BullMQ refuses a retry because the job has not ended, or is gone. */
function isRetried(code: number | undefined): boolean {
  return code === ErrorCode.JobNotInState || code === ErrorCode.JobNotExist;
}

const now = () => new Date().toISOString();
