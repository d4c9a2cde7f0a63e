import type { Cursor } from '../cursor.js';
import { storable } from '../storable.js';

/** What operators asked of a job (R28, R31). Kept beside the checkpoint, and removed with the job. */
export interface JobControl {
  /** How often the document was changed: each request has the number of its change. */
  readonly changes: number;
  /** The latest request to pause or cancel, until it is withdrawn. */
  readonly request?: NumberedRequest;
  readonly restart?: RestartRequest;
  /** Settings that replace the processor's. */
  readonly settings?: TunedSettings;
  /** When the run began that has delayed the job until `resume`, or is about to: in milliseconds since 1970. */
  readonly parked?: number;
  /** The job has paused itself after its first items (R35). */
  readonly isCanaryDone?: true;
  /** What was skipped and seen when the job last paused itself for a limit of skipped items: only what came since counts. */
  readonly granted?: Granted;
  /** The last requests of every kind, oldest first. */
  readonly history: readonly ControlEvent[];
}

export interface Asked {
  readonly by?: string | undefined;
  readonly reason?: string | undefined;
}

export interface ControlRequest extends Asked {
  readonly type: 'pause' | 'cancel';
  /** ISO time. */
  readonly at: string;
  /** When the run began that was the job's last one at that time, in milliseconds since 1970. */
  readonly processedOn?: number;
  /** As a part has it: it was asked of the job that is split. */
  readonly ofWhole?: true;
}

interface NumberedRequest extends ControlRequest {
  readonly number: number;
}

export interface RestartRequest {
  readonly number: number;
  /** Absent: where the job began. */
  readonly cursor?: Cursor;
}

export interface Granted {
  /** The life of the job that it holds for. */
  readonly life: number;
  readonly skipped: number;
  readonly itemsSeen: number;
}

/** A pause that the job's own run asks for. */
export type OwnPause = { readonly reason: string } & Pick<JobControl, 'granted' | 'isCanaryDone'>;

/** Settings of a job that may change while it runs (R31). */
export interface TunedSettings {
  readonly itemConcurrency?: number;
  /** `null`: no limit. */
  readonly itemsPerSecond?: number | null;
  readonly batchSize?: number;
}

/** A request, as it is shown to people. */
export interface ControlEvent extends Asked {
  readonly type: 'pause' | 'resume' | 'cancel' | 'restart' | 'tune';
  /** ISO time. */
  readonly at: string;
  /** Of a restart. */
  readonly cursor?: Cursor;
  /** Of `tune`. */
  readonly settings?: TunedSettings;
}

/** Where control documents are kept, as text. */
export interface ControlStore {
  /** Of each job, in the same order: one round trip. */
  controls(ids: readonly string[]): Promise<readonly (string | undefined)[]>;

  /**
   * Writes a job's document, if it still is the expected one. Whoever watches the job hears of it: the event is that of a
   * checkpoint.
   *
   * @returns `changed` when another was faster, `gone` when there is no such job: nothing was written.
   */
  replaceControl(id: string, expected: string | undefined, next: string): Promise<'replaced' | 'changed' | 'gone'>;
}

/** How many requests are kept to be shown. */
const KEPT_EVENTS = 20;

export const NOTHING_ASKED: JobControl = { changes: 0, history: [] };

export function readControl(text: string | undefined): JobControl {
  return text === undefined ? NOTHING_ASKED : (JSON.parse(text) as JobControl);
}

/** The document after one more request. */
export function recordEvent(control: JobControl, event: ControlEvent, changes: Partial<JobControl>): JobControl {
  return {
    ...control,
    ...changes,
    changes: control.changes + 1,
    history: [...control.history, event].slice(-KEPT_EVENTS),
  };
}

/** The document with a request that replaces any other: the later one wins. */
export function withRequest(
  control: JobControl,
  request: ControlRequest,
  changes: Partial<JobControl> = {},
): JobControl {
  const { by, reason } = request; // they become part of the checkpoint and of the job's error
  const asked: ControlRequest = {
    ...request,
    ...(by !== undefined && { by: storable(by) }),
    ...(reason !== undefined && { reason: storable(reason) }),
  };
  const { processedOn: _, ...event } = asked;
  return recordEvent(control, event, { ...changes, request: { ...asked, number: control.changes + 1 } });
}

/** The document without a request that an end of the job has answered. */
export function withoutAnswered(control: JobControl, handled: number): JobControl {
  const { request, ...others } = control;
  return request && request.number <= handled ? others : control;
}

/** The document without the note of this run that it parks the job: a later one may have parked it again by now. */
export function withoutParked(control: JobControl, parked: number | undefined): JobControl {
  const { parked: noted, ...others } = control;
  return noted !== undefined && noted === parked ? others : control;
}

/** A restart that no run has begun with. */
export function pendingRestart({ restart }: JobControl, restarted = 0): RestartRequest | undefined {
  return restart && restart.number > restarted ? restart : undefined;
}

/**
 * Changes a job's control document. The change is made again when another process was faster.
 *
 * @param change Returns the document that it was given when there is nothing to change.
 * @returns undefined when the job is gone.
 */
export async function changeControl(
  store: ControlStore,
  id: string,
  change: (control: JobControl) => JobControl,
): Promise<JobControl | undefined> {
  for (;;) {
    const [text] = await store.controls([id]);
    const control = readControl(text);
    const next = change(control);
    if (next === control) return control;
    const written = await store.replaceControl(id, text, JSON.stringify(next));
    if (written === 'gone') return undefined;
    if (written === 'replaced') return next;
  }
}
