import {
  type Asked,
  type ControlStore,
  type Granted,
  type JobControl,
  type NumberedRequest,
  type OwnPause,
  type Restored,
  readControl,
  type TunedSettings,
} from '../checkpoint/index.js';
import { type InterruptionRequest, type Lock, retryWhileHeld } from '../interruption/index.js';
import { storable } from '../storable.js';

interface ControlledRun {
  readonly job: { readonly id?: string };
  readonly store: Pick<ControlStore, 'controls'>;
  readonly interruption: InterruptionRequest;
  readonly lock: Lock;
}

/** What operators ask of a running job (R28). The worker looks for it every second. */
export class RunControl {
  #text: string | undefined;
  #control: JobControl = readControl(undefined);
  /** Requests up to this number are answered. */
  #handled = 0;
  #restarted = 0;
  #hasBegun = false;
  /** A pause that the run itself asks for. */
  ownPause: OwnPause | undefined;

  constructor(private readonly run: ControlledRun) {}

  /** The number of the last request that is answered when this run has ended its job. */
  get handledAtEnd(): number {
    return Math.max(this.#handled, this.#control.request?.number ?? 0);
  }

  /** The number of the last request that was answered when the run began. */
  get handled(): number {
    return this.#handled;
  }

  get tuned(): TunedSettings {
    return this.#control.settings ?? {};
  }

  get granted(): Granted | undefined {
    return this.#control.granted;
  }

  get isCanaryDone(): boolean {
    return this.#control.isCanaryDone === true;
  }

  /** The run ends here, and its job waits until `resume`. */
  pauseItself(pause: OwnPause): void {
    const reason = storable(pause.reason); // it may be the message of any error
    this.ownPause = { ...pause, reason };
    this.run.interruption.request({ reason: 'pause', detail: reason });
  }

  /** Before the run: nothing may be handled before it is known what was asked. @throws LockLostError */
  async read(): Promise<JobControl> {
    const { job, lock, store } = this.run;
    const [control] = await retryWhileHeld(
      lock,
      () => store.controls([job.id as string]),
      () => true,
    );
    this.#take(control);
    return this.#control;
  }

  /** The run begins with what was restored, and answers what is asked from now on. */
  begin({ checkpoint }: Restored): void {
    this.#handled = checkpoint.handled ?? 0;
    this.#restarted = checkpoint.restarted ?? 0;
    this.#hasBegun = true;
    this.#answer();
  }

  /** What the worker has found. */
  update(text: string | undefined): void {
    if (this.#take(text) && this.#hasBegun) this.#answer();
  }

  /** The request that holds at the end of the run: the later one wins. @throws LockLostError */
  async requestNow(): Promise<NumberedRequest | undefined> {
    if (!this.#pending) return undefined;
    await this.read();
    return this.#pending;
  }

  /** Whether a pause holds that no end of the job has answered. */
  isPaused({ request }: JobControl): boolean {
    return request?.type === 'pause' && request.number > this.#handled;
  }

  get #pending(): NumberedRequest | undefined {
    const { request } = this.#control;
    return request && request.number > this.#handled ? request : undefined;
  }

  /** An answer may be older than one that came before it. */
  #take(text: string | undefined): boolean {
    if (text === undefined || text === this.#text) return false;
    const control = readControl(text);
    if (control.changes < this.#control.changes) return false;
    this.#text = text;
    this.#control = control;
    return true;
  }

  #answer(): void {
    const { interruption } = this.run;
    const { restart } = this.#control;
    if (restart && restart.number > this.#restarted) interruption.request({ reason: 'pause', detail: 'restart' });
    const asked = this.#pending;
    if (asked?.type === 'pause') interruption.request({ reason: 'pause', ...detailOf(asked) });
    if (asked?.type === 'cancel') interruption.requestCancel(detailOf(asked));
  }
}

/** Who asked, and why, for people. */
export function detailOf({ by, reason }: Asked): { detail?: string } {
  const detail = [by && `by ${by}`, reason].filter(Boolean).join(': ');
  return detail ? { detail } : {};
}
