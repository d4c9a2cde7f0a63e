import { LOOK_AGAIN_MS, mustWait, type Restored, restoreCheckpoint } from '../checkpoint/index.js';
import { redriveOf } from '../dead-letters/index.js';
import { isOutage, LockLostError, retryWhileHeld } from '../interruption/index.js';
import { endOfLeftOver, partOf } from '../parts/index.js';
import { type Run, type RunInputs, WholeLimits } from '../runtime/index.js';
import { aroundRun } from './around.run.js';
import { createRun } from './create.run.js';
import { DeferredMoves } from './deferred.moves.js';
import { FinishRun, type RunOutcome } from './finish.run.js';
import { Iteration } from './iteration.js';
import { unpark } from './park.js';
import { PartedIteration } from './parted.iteration.js';
import type { RunReport } from './report.js';

/** One run of one job: restore, iterate, finish. Returns what is to be reported to BullMQ. */
export async function runJob(inputs: RunInputs): Promise<RunReport> {
  const { control, interruption, job, lock, log, queue } = inputs;
  if (interruption.pending) return { type: 'wait' }; // R4: untouched
  const look = async () => ({
    asked: await control.read(),
    ended: await retryWhileHeld(lock, () => endOfLeftOver(job, queue), isOutage),
  });
  const found = await interruption.untilAbandoned(look().catch(lostLock));
  if (!found) return { type: 'lost' };
  const { asked, ended } = found;
  const restored = restoreCheckpoint(job, asked);
  const begun = control.begin(restored);
  const request = ended ?? begun;
  if (request?.type === 'pause') return { type: 'park' };
  if (!request && (await mustWait(inputs))) return { type: 'delay', delayMs: LOOK_AGAIN_MS };
  if (asked.parked !== undefined) await unpark(inputs);
  const limits = request ? undefined : WholeLimits.of(inputs);
  const waitMs = limits ? await interruption.untilAbandoned(limits.begin(restored.checkpoint).catch(lostLock)) : 0;
  if (waitMs === undefined) return { type: 'lost' };
  if (waitMs) return { type: 'delay', delayMs: waitMs };
  const moves = new DeferredMoves(job, (message) => log.warn(message));
  try {
    const run = createRun({ ...inputs, limits }, restored);
    limits?.follow(run.progress);
    const finish = new FinishRun(run, moves);
    return await aroundRun(run, {
      finish,
      execute: () => outcomeOf(run, { ...restored, request }),
      previous: restored.checkpoint.carrier,
    });
  } finally {
    await limits?.end();
    moves.release();
  }
}

/** Nothing has begun: the next run finds the job as it is. */
function lostLock(error: unknown): undefined {
  if (!(error instanceof LockLostError)) throw error;
}

async function outcomeOf(run: Run, { careful, foreign, isRetried, request }: Restored): Promise<RunOutcome> {
  if (foreign !== undefined) {
    run.log.warn(
      `its progress ${JSON.stringify(foreign)} is not a checkpoint of this library: the job starts from the beginning`,
    );
  }
  const isSplit = run.definition.partition && !partOf(run.job) && !redriveOf(run.job);
  if (request && !isSplit) return { type: 'cancelled', asked: request };
  const iteration = isSplit
    ? new PartedIteration(run, { asked: request, isRetried: isRetried === true })
    : new Iteration(run, careful === true);
  const outcome = await run.interruption.untilAbandoned(iteration.outcome());
  const { isBegun } = iteration;
  return outcome ?? { type: 'interrupted', interruption: { reason: 'shutdown' }, isBegun };
}
