import type { Interruption } from '../interruption/index.js';
import type { Checkpoint } from './checkpoint.js';

/** One run of a job. */
export interface IterationRun {
  /** 1 for the first. A job that starts anew counts from 1 again. */
  readonly run: number;
  /** Host and process. */
  readonly worker: string;
  /** ISO time. */
  readonly startedAt: string;
  /** ISO time; undefined: it is running, or it died. */
  readonly endedAt: string | undefined;
  /** Items that it finished or skipped; those of a run that died, up to its last checkpoint. */
  readonly items: number;
  /** `retry`: it failed, and BullMQ retries the job. `crash`: it died, or lost its lock. Undefined: it has not ended. */
  readonly outcome: 'complete' | 'interrupt' | 'retry' | 'cancel' | 'fail' | 'crash' | undefined;
  /** Why it ended before its job did. */
  readonly interruption: Interruption | undefined;
}

/** How many runs are kept, and how many lines: a run whose end is saved more than once has a line for each time. */
const KEPT_RUNS = 20;
export const KEPT_LINES = 2 * KEPT_RUNS;

/** How a run ended, for its job's history. */
export interface RunEnding {
  readonly outcome: NonNullable<IterationRun['outcome']>;
  readonly at: number;
  readonly interruption?: Interruption;
}

/** The line of the checkpoint's run; undefined for checkpoints of a release that did not note when a run began. */
export function historyLine(checkpoint: Checkpoint, ending: RunEnding): string | undefined {
  const run = runOf(checkpoint, ending);
  return run && `${JSON.stringify({ life: checkpoint.life, ...run })}\n`;
}

/** The last runs, oldest first. The last one may not have ended: the checkpoint is then its. */
export function readHistory(lines: string | undefined, checkpoint: Checkpoint | undefined): IterationRun[] {
  const runs = new Map<string, IterationRun>();
  for (const line of lines?.trimEnd().split('\n') ?? []) {
    const { life, endedAt, outcome, interruption, ...run } = JSON.parse(line) as IterationRun & { life: number };
    runs.set(`${life}:${run.run}`, { ...run, endedAt, outcome, interruption }); // JSON leaves out what is undefined
  }
  const current = checkpoint?.running && runOf(checkpoint);
  return [...runs.values(), ...(current ? [current] : [])].slice(-KEPT_RUNS);
}

function runOf({ began, passed, run, worker = '' }: Checkpoint, ending?: RunEnding): IterationRun | undefined {
  if (!began) return undefined;
  const [startedAt, passedBefore] = began;
  const hasReported = ending !== undefined && ending.outcome !== 'crash';
  return {
    run,
    worker,
    startedAt: new Date(startedAt).toISOString(),
    endedAt: hasReported ? new Date(ending.at).toISOString() : undefined,
    items: Math.max(0, passed - passedBefore),
    outcome: ending?.outcome,
    interruption: ending?.interruption,
  };
}
