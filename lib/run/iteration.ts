import { cursorAfter, detachScheduler, versionChange } from '../checkpoint/index.js';
import { crashVerdict } from '../crashes/index.js';
import { redriveOf } from '../dead-letters/index.js';
import { readerOf, toError } from '../enumerators/contract/index.js';
import { Failed, ItemFailure, ItemSkips } from '../failures/index.js';
import { type CrashLoopError, SourceChangedError } from '../iteration.errors.js';
import { type LoopOutcome, type OpenRun, type Run, RunTimer, RunWarnings, SourcePages } from '../runtime/index.js';
import { buildSource } from './build.source.js';
import { canaryLeft } from './canary.js';
import { ConcurrentLoop } from './concurrent.loop.js';
import type { RunOutcome } from './finish.run.js';
import { SequentialLoop } from './sequential.loop.js';
import { SourceSize } from './source.size.js';

/** From the cursor to the end of the items. */
export class Iteration {
  /** Whether the `start` or `resume` hooks were called. */
  isBegun = false;
  /** `onChange` has moved the cursor. */
  #isMoved = false;

  constructor(
    private readonly run: Run,
    /** The run before died without reporting an outcome (R19). */
    private readonly isolate: boolean,
  ) {}

  async outcome(): Promise<RunOutcome> {
    const { definition, executor, progress } = this.run;
    try {
      await executor.acquire();
      const verdict = await this.#verdict();
      if (verdict && definition.options.crashes.then === 'fail')
        return { type: 'failed', error: verdict, isBegun: false };
      return await this.#iterate(verdict).catch((error: unknown) => {
        if (!(error instanceof SourceChangedError) || progress.finished > 0) throw error;
        this.#move(error); // once: a source that changes again fails the run
        return this.#iterateSource();
      });
    } catch (thrown) {
      const error = toError(thrown, `The enumerator of ${definition.builderName}`);
      return { type: 'failed', error, isBegun: this.isBegun };
    }
  }

  #verdict(): Promise<CrashLoopError | undefined> {
    const { checkpoint, definition, job, store } = this.run;
    return crashVerdict(checkpoint.current, { job, store, limit: definition.options.crashes.limit });
  }

  async #iterate(verdict: CrashLoopError | undefined): Promise<RunOutcome> {
    const { checkpoint, definition, job } = this.run;
    // onChange answers for cursors of the source; a redrive's cursor is not one.
    const change = redriveOf(job) ? undefined : versionChange(definition, checkpoint.current);
    if (change) this.#move(change);
    checkpoint.change({ version: definition.version });
    return this.#iterateSource(verdict);
  }

  #move(change: SourceChangedError): void {
    const { checkpoint, context, definition, log } = this.run;
    const next = cursorAfter(change, definition, checkpoint.current);
    const where = next === null ? 'from the beginning' : `after ${JSON.stringify(next)}`;
    log.warn(`${change.message}. It resumes ${where} (onChange)`);
    context.stopped = undefined;
    checkpoint.restartAt(next);
    this.#isMoved = true;
  }

  async #iterateSource(verdict?: CrashLoopError): Promise<RunOutcome> {
    const { checkpoint, executor, interruption, lock, log, progress, settings, times } = this.run;
    const { letter } = checkpoint.current;
    const skips = new ItemSkips(this.run);
    if (letter && !(await skips.write(letter))) return { type: 'lost' };
    const enumerator = await buildSource(this.run);
    if (!enumerator) return { type: 'nothing to do' };
    lock.assertHeld();
    const { isBegun } = this;
    if (interruption.pending) return { type: 'interrupted', interruption: interruption.pending, isBegun };
    const reader = readerOf(enumerator, { finished: progress.itemsSeen, batchSize: () => settings.batchSize });
    settings.ownBatchSize = reader.batchSize;
    const size = new SourceSize(enumerator, this.run);
    if (!isBegun) await this.#begin(size);
    if (this.#isMoved) await executor.persist({});

    const timer = new RunTimer(this.run, { isolate: this.isolate, size });
    const pages = new SourcePages(reader, {
      interruption,
      times,
      canary: canaryLeft(this.run),
      whileAwaiting: () => timer.lookWhileAwaiting(),
      warn: (message) => log.warn(message),
    });
    const run: OpenRun = { ...this.run, pages, timer };
    const halve = 'halve' in enumerator ? enumerator.halve?.bind(enumerator) : undefined;
    const failure = new ItemFailure(run, skips, halve);
    const condemned = verdict && new Failed(verdict, verdict.crashes);
    times.beginLoop();
    const warnings = new RunWarnings(this.run);
    try {
      const outcome = await loop(run, failure, condemned);
      if (outcome.type === 'complete') await size.checkComplete();
      return outcome.type === 'interrupted' ? { ...outcome, isBegun: true } : outcome;
    } finally {
      times.endLoop();
      warnings.end();
      timer.end();
      await pages.close();
    }
  }

  /** R11: `start` is recorded when it has returned, so a run that dies before leaves it to the next one. */
  async #begin(size: SourceSize): Promise<void> {
    const { checkpoint, hooks, log } = this.run;
    this.isBegun = true;
    size.ask();
    await detachScheduler(this.run);
    if (checkpoint.current.started) {
      log.resumed(checkpoint.current);
      await hooks.call('resume', undefined);
    } else {
      log.started();
      await hooks.call('start', undefined);
      checkpoint.change({ started: true });
    }
    if (this.isolate) await checkpoint.flush('careful');
    else if (this.#mustKnowOfBegin) await checkpoint.flush('items');
  }

  /** Without hooks that are called at a run's begin, the first checkpoint may wait: BullMQ counts the runs that die. */
  get #mustKnowOfBegin(): boolean {
    const { checkpoint, definition } = this.run;
    const { resume, start } = definition.hooks;
    return start.length > 0 || resume.length > 0 || checkpoint.current.stalls === undefined;
  }
}

/** @param condemned The first item has killed too many processes: it is skipped without being handled. */
async function loop(run: OpenRun, failure: ItemFailure, condemned?: Failed): Promise<LoopOutcome> {
  if (run.settings.itemConcurrency > 1) return new ConcurrentLoop(run, failure, condemned).outcome();
  const outcome = await new SequentialLoop(run, failure, condemned).outcome();
  return outcome.type === 'retuned' ? new ConcurrentLoop(run, failure).outcome() : outcome;
}
