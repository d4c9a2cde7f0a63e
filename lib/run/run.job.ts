import { LOOK_AGAIN_MS, mustWait, type Restored, restoreCheckpoint } from '../checkpoint/index.js';
import { LockLostError } from '../interruption/index.js';
import type { Run, RunInputs } from '../runtime/index.js';
import { aroundRun } from './around.run.js';
import { createRun } from './create.run.js';
import { DeferredMoves } from './deferred.moves.js';
import { FinishRun, type RunOutcome } from './finish.run.js';
import { Iteration } from './iteration.js';
import { unpark } from './park.js';
import type { RunReport } from './report.js';

/** One run of one job: restore, iterate, finish. Returns what is to be reported to BullMQ. */
export async function runJob(inputs: RunInputs): Promise<RunReport> {
  const { control, interruption, job, log } = inputs;
  if (interruption.pending) return { type: 'wait' }; // R4: untouched
  const asked = await interruption.untilAbandoned(control.read().catch(lostLock));
  if (!asked) return { type: 'lost' };
  const restored = restoreCheckpoint(job, asked);
  control.begin(restored);
  if (restored.request?.type === 'pause') return { type: 'park' };
  if (!restored.request && (await mustWait(inputs))) return { type: 'delay', delayMs: LOOK_AGAIN_MS };
  if (asked.parked) await unpark(inputs);
  const moves = new DeferredMoves(job, (message) => log.warn(message));
  try {
    const run = createRun(inputs, restored);
    const finish = new FinishRun(run, moves);
    return await aroundRun(run, {
      finish,
      execute: () => outcomeOf(run, restored),
      previous: restored.checkpoint.carrier,
    });
  } finally {
    moves.release();
  }
}

/** Nothing has begun: the next run finds the job as it is. */
function lostLock(error: unknown): undefined {
  if (!(error instanceof LockLostError)) throw error;
}

async function outcomeOf(run: Run, { careful, foreign, request }: Restored): Promise<RunOutcome> {
  if (foreign !== undefined) {
    run.log.warn(
      `its progress ${JSON.stringify(foreign)} is not a checkpoint of this library: the job starts from the beginning`,
    );
  }
  if (request) return { type: 'cancelled', asked: request };
  const iteration = new Iteration(run, careful === true);
  const outcome = await run.interruption.untilAbandoned(iteration.outcome());
  const { isBegun } = iteration;
  return outcome ?? { type: 'interrupted', interruption: { reason: 'shutdown' }, isBegun };
}
