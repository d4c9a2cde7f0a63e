import type { Job } from 'bullmq';
import {
  type Asked,
  type ControlRequest,
  type ControlStore,
  type Granted,
  type JobControl,
  type OwnPause,
  type Restored,
  readControl,
  type TunedSettings,
} from '../checkpoint/index.js';
import { type InterruptionRequest, type Lock, retryWhileHeld } from '../interruption/index.js';
import { type Part, partOf, requestOfWhole, stronger } from '../parts/index.js';
import { storable } from '../storable.js';

interface ControlledRun {
  readonly job: Pick<Job, 'id' | 'opts'>;
  readonly store: Pick<ControlStore, 'controls'>;
  readonly interruption: InterruptionRequest;
  readonly lock: Lock;
}

/** Control documents by the id of their job. */
export type ControlDocuments = ReadonlyMap<string, string | undefined>;

/**
 * What operators ask of a running job (R28). The worker looks for it every second. A part finds what is asked of the whole job in
 * that job's document.
 */
export class RunControl {
  readonly #own = new LatestControl();
  /** The same object as `#own` where the job is not a part. */
  readonly #whole: LatestControl;
  readonly #part: Part | undefined;
  /** Requests up to this number are answered. */
  #handled = 0;
  #restarted = 0;
  #hasBegun = false;
  /** A pause that the run itself asks for. */
  ownPause: OwnPause | undefined;

  constructor(private readonly run: ControlledRun) {
    this.#part = partOf(run.job);
    this.#whole = this.#part ? new LatestControl() : this.#own;
  }

  /** The job whose limits hold: of a part, the job that is split. */
  get wholeId(): string {
    return this.#part?.of ?? (this.run.job.id as string);
  }

  /** The jobs whose documents are looked at. */
  get ids(): readonly string[] {
    const own = this.run.job.id as string;
    return this.#part ? [own, this.#part.of] : [own];
  }

  /** The number of the last request that is answered when this run has ended its job. */
  get handledAtEnd(): number {
    return Math.max(this.#handled, this.#own.control.request?.number ?? 0);
  }

  /** The number of the last request that was answered when the run began. */
  get handled(): number {
    return this.#handled;
  }

  /** Of a part: its own settings come before those of the whole. */
  get tuned(): TunedSettings {
    return { ...this.#whole.control.settings, ...this.#own.control.settings };
  }

  get granted(): Granted | undefined {
    return this.#whole.control.granted;
  }

  get isCanaryDone(): boolean {
    return this.#whole.control.isCanaryDone === true;
  }

  /** The run ends here, and the whole job waits until `resume`. */
  pauseItself(pause: OwnPause): void {
    const reason = storable(pause.reason); // it may be the message of any error
    this.ownPause = { ...pause, reason };
    this.run.interruption.request({ reason: 'pause', detail: reason });
  }

  /** Before the run: nothing may be handled before it is known what was asked. @throws LockLostError */
  async read(): Promise<JobControl> {
    const { lock, store } = this.run;
    const { ids } = this;
    const texts = await retryWhileHeld(
      lock,
      () => store.controls(ids),
      () => true,
    );
    this.#take(new Map(ids.map((id, index) => [id, texts[index]])));
    return this.#own.control;
  }

  /**
   * The run begins with what was restored, and answers what is asked from now on.
   *
   * @returns the request that holds.
   */
  begin({ checkpoint, request }: Restored): ControlRequest | undefined {
    this.#handled = checkpoint.handled ?? 0;
    this.#restarted = checkpoint.restarted ?? 0;
    this.#hasBegun = true;
    this.#answer();
    return stronger(request, this.#ofWhole);
  }

  /** What the worker has found. */
  update(documents: ControlDocuments): void {
    if (this.#take(documents) && this.#hasBegun) this.#answer();
  }

  /** The request that holds at the end of the run: the later one wins. @throws LockLostError */
  async requestNow(): Promise<ControlRequest | undefined> {
    if (!this.#pending) return undefined;
    await this.read();
    return this.#pending;
  }

  /** Whether a pause of the job or of the whole holds, by this control document and the latest one of the whole. */
  isPaused(own: JobControl): boolean {
    return stronger(this.#unanswered(own), this.#ofWhole)?.type === 'pause';
  }

  /** Whether a pause holds as of the latest documents. */
  get isPausedNow(): boolean {
    return this.isPaused(this.#own.control);
  }

  /** Of the whole job's document: the request that is still to be answered. */
  requestTo(whole: JobControl): ControlRequest | undefined {
    return this.#part ? requestOfWhole(this.#part, whole) : this.#unanswered(whole);
  }

  get #pending(): ControlRequest | undefined {
    return stronger(this.#unanswered(this.#own.control), this.#ofWhole);
  }

  get #ofWhole(): ControlRequest | undefined {
    return this.#part && requestOfWhole(this.#part, this.#whole.control);
  }

  #unanswered({ request }: JobControl): ControlRequest | undefined {
    return request && request.number > this.#handled ? request : undefined;
  }

  #take(documents: ControlDocuments): boolean {
    const { id = '' } = this.run.job;
    const isOwnNew = this.#own.take(documents.get(id));
    return (this.#part !== undefined && this.#whole.take(documents.get(this.#part.of))) || isOwnNew;
  }

  #answer(): void {
    const { interruption } = this.run;
    const { restart } = this.#own.control;
    if (restart && restart.number > this.#restarted) interruption.request({ reason: 'pause', detail: 'restart' });
    const asked = this.#pending;
    if (asked?.type === 'pause') interruption.request({ reason: 'pause', ...detailOf(asked) });
    if (asked?.type === 'cancel') interruption.requestCancel(detailOf(asked));
  }
}

/** The latest control document that was found: an answer may be older than one that came before it. */
class LatestControl {
  #text: string | undefined;
  control: JobControl = readControl(undefined);

  /** @returns whether it is another one. */
  take(text: string | undefined): boolean {
    if (text === undefined || text === this.#text) return false;
    const control = readControl(text);
    if (control.changes < this.control.changes) return false;
    this.#text = text;
    this.control = control;
    return true;
  }
}

/** Who asked, and why, for people. */
export function detailOf({ by, reason }: Asked): { detail?: string } {
  const detail = [by && `by ${by}`, reason].filter(Boolean).join(': ');
  return detail ? { detail } : {};
}
