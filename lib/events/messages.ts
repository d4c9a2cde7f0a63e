import type { Cursor } from '../cursor.js';
import type { Interruption } from '../interruption/index.js';

/** The job that a message is about. */
export interface JobFacts {
  readonly queue: string;
  readonly id: string;
  readonly name: string;
}

/** The run that a message is about. */
export interface RunFacts extends JobFacts {
  /** Name of the processor's class. */
  readonly processor: string;
  /** 1 for the first run of a job. */
  readonly run: number;
  /** Host and process. */
  readonly worker: string;
}

/** What is published, by event. Times are milliseconds. */
export interface IterationMessages {
  /** A run begins, before its source is built. */
  'run.start': RunFacts & {
    readonly cursor: Cursor;
    /** Items processed by earlier runs. */
    readonly processed: number;
    /** Of a job's first run: how long the job has waited, after its delay. */
    readonly waitedMs: number | undefined;
  };
  /** A run has ended, and is about to be reported to BullMQ. */
  'run.end': RunFacts & {
    /** `lost`: another worker has the job, or soon will. */
    readonly outcome: 'complete' | 'interrupt' | 'retry' | 'cancel' | 'fail' | 'lost';
    /** Of `retry`, `cancel` and `fail`. */
    readonly error: unknown;
    /** Of `interrupt`. */
    readonly interruption: Interruption | undefined;
    readonly cursor: Cursor;
    /** Items that this run has finished. */
    readonly items: number;
    readonly durationMs: number;
  };
  /** A run ends before its job does. */
  'run.interrupt': RunFacts & { readonly interruption: Interruption; readonly cursor: Cursor };
  /** A checkpoint was saved. */
  checkpoint: RunFacts & {
    readonly cursor: Cursor;
    readonly processed: number;
    readonly skipped: number;
    /** 0 to 100. */
    readonly percent: number;
    /** Items finished or skipped since the checkpoint before it. */
    readonly items: number;
    /** Since the checkpoint before it, or since the run's beginning. */
    readonly sinceMs: number;
  };
  /** A try of an item has failed. `tries`: the tries so far. */
  'item.failure': RunFacts & { readonly error: Error; readonly cursor: Cursor; readonly tries: number };
  /** An item was skipped, and its dead letter is written. `cursor` is the item's own. */
  'item.skip': RunFacts & { readonly error: Error; readonly cursor: Cursor };
  /** No item was finished for longer than the shutdown's deadline, though handlers are at work. */
  'item.slow': RunFacts & { readonly cursor: Cursor; readonly handlingMs: number };
  /** An operator asks for something. It is published by the process that asks. A job's own pause is a `run.interrupt`. */
  request: JobFacts & {
    readonly type: 'pause' | 'resume' | 'cancel' | 'restart' | 'tune';
    readonly by: string | undefined;
    readonly reason: string | undefined;
  };
}

/** The names of the events. */
export type IterationMessage = keyof IterationMessages;

/** Events of runs. */
export type RunMessage = Exclude<IterationMessage, 'request'>;
