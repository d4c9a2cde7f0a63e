import type { EndedRun } from '../around.run.js';
import type { Checkpoint } from '../checkpoint/index.js';
import { toError } from '../enumerators/contract/index.js';
import { InvalidOptionsError } from '../iteration.errors.js';
import type { Run } from '../runtime/index.js';
import type { FinishRun, RunOutcome } from './finish.run.js';
import type { RunReport } from './report.js';

/** What the next run is given is kept in the checkpoint, which every listener receives. */
const MAX_CARRIER_BYTES = 1_024;

interface Execution {
  readonly finish: FinishRun;
  /** Build, items and their hooks. */
  readonly execute: () => Promise<RunOutcome>;
  /** What the job's last run has left. */
  readonly previous: Checkpoint['carrier'];
}

/** Executes a run, within the module's `aroundRun` (R38), and publishes its beginning and its end. */
export async function aroundRun(run: Run, { finish, execute, previous }: Execution): Promise<RunReport> {
  const { around, definition, interruption, job, log } = run;
  const carrier: Record<string, string> = {};
  let begun: { readonly ended: Promise<Ended> } | undefined;
  const next = async () => {
    begun ??= { ended: begin(run, { carrier, finish, execute }) };
    return endOf(await begun.ended);
  };
  if (!around) {
    await next();
  } else {
    const view = { job, processor: definition.name, run: run.context.run, carrier, previous };
    try {
      await interruption.untilAbandoned(around(view, next));
    } catch (thrown) {
      const error = toError(thrown, 'aroundRun');
      if (!begun) return finish.report({ type: 'failed', error, isBegun: false });
      log.warn(`aroundRun failed after the run: ${error.message}`);
    }
  }
  if (begun) return (await begun.ended).report;
  if (interruption.isAbandoned) return { type: 'wait' };
  const error = new InvalidOptionsError('aroundRun has returned without calling next(), so the run has not begun');
  return finish.report({ type: 'failed', error, isBegun: false });
}

interface Ended {
  readonly report: RunReport;
  readonly ending: FinishRun['ending'];
}

async function begin(
  run: Run,
  { carrier, finish, execute }: Omit<Execution, 'previous'> & { carrier: Record<string, string> },
): Promise<Ended> {
  const { checkpoint, clock, events, job, log, progress } = run;
  if (Object.keys(carrier).length > 0) {
    if (isSmall(carrier)) checkpoint.change({ carrier });
    else
      log.warn(
        'the carrier of aroundRun is not saved for the next run: it has a value that is not a string, or over 1 KB',
      );
  }
  const beganAt = clock.now();
  events.publish('run.start', () => {
    const { cursor, processed } = progress.current;
    const waitedMs = run.context.run === 1 ? Math.max(0, beganAt - job.timestamp - (job.opts.delay ?? 0)) : undefined;
    return { cursor, processed, waitedMs };
  });
  const report = await finish.report(await execute());
  const ended = { report, ending: finish.ending };
  events.publish('run.end', () => {
    const { outcome, error } = endOf(ended);
    const { interruption } = ended.ending ?? {};
    const { cursor, finished: items } = progress;
    return { outcome, error, interruption, cursor, items, durationMs: clock.now() - beganAt };
  });
  return ended;
}

function endOf({ ending, report }: Ended): EndedRun {
  const error = report.type === 'failed' ? report.error : undefined;
  if (report.type === 'lost') return { outcome: 'lost', error, reason: undefined };
  const { interruption, outcome = 'interrupt' } = ending ?? {}; // without an ending, nothing had begun
  return { outcome: outcome as EndedRun['outcome'], error, reason: interruption?.reason };
}

function isSmall(carrier: Readonly<Record<string, string>>): boolean {
  const areTexts = Object.values(carrier).every((value) => typeof value === 'string');
  return areTexts && Buffer.byteLength(JSON.stringify(carrier)) <= MAX_CARRIER_BYTES;
}
