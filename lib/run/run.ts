import { hostname } from 'node:os';
import {
  cursorAfter,
  Position,
  type Restored,
  RunCheckpoint,
  restoreCheckpoint,
  versionChange,
} from '../checkpoint/index.js';
import { crashLoop } from '../crashes/index.js';
import { redriveOf } from '../dead-letters/index.js';
import { readerOf, toError } from '../enumerators/contract/index.js';
import { CommittedProgress, claimRow, TransactionalWork } from '../exactly-once/index.js';
import { ItemFailure, Skips } from '../failures/index.js';
import { type CrashLoopError, IterationCancelledError, SourceChangedError } from '../iteration.errors.js';
import { type ItemWork, PageFeed, PlainWork, RunContext, RunHooks, type RunParts, RunWatch } from '../runtime/index.js';
import { buildSource, handlerOf } from './build.source.js';
import { ItemsInFlight, type Slot } from './concurrent.loop.js';
import { JobGuard } from './deferred.moves.js';
import { leaveScheduler } from './detach.scheduler.js';
import { Conclusion, type Ending } from './finish.run.js';
import { LOOK_AGAIN_MS, mustWait } from './predecessor.js';
import type { Settlement } from './report.js';
import { loopOverItems } from './sequential.loop.js';
import { JobSize } from './source.size.js';

/** One run of one job: restore, build, begin, iterate, conclude. What it gives is told to BullMQ by `settle`. */
export async function runJob(parts: RunParts): Promise<Settlement> {
  if (parts.interruption.pending) return { type: 'wait' }; // R4: untouched
  if (await mustWait(parts)) return { type: 'delay', delayMs: LOOK_AGAIN_MS };
  const guard = new JobGuard(parts.job, (message) => parts.log.warn(message));
  try {
    return await new JobRun(parts, guard, restoreCheckpoint(parts.job)).execute();
  } finally {
    guard.release();
  }
}

class JobRun {
  readonly #position: Position;
  readonly #context: RunContext;
  readonly #checkpoint: RunCheckpoint;
  readonly #committed: CommittedProgress | undefined;
  readonly #hooks: RunHooks;
  readonly #work: ItemWork;
  readonly #skips: Skips;
  readonly #conclusion: Conclusion;
  #begun = false;
  #hasFollowed = false;

  constructor(
    private readonly parts: RunParts,
    guard: JobGuard,
    private readonly restored: Restored,
  ) {
    const { definition, interruption, job, prefix } = parts;
    const { checkpoint } = restored;
    const run = checkpoint.run + 1;
    const position = new Position(checkpoint);
    const context = new RunContext({
      job,
      position,
      interruption,
      run,
      interruptions: checkpoint.interruptions,
      state: checkpoint.state ?? null,
      stopped: checkpoint.stopped,
      transactional: definition.transactions !== undefined,
    });
    const begun = {
      ...checkpoint,
      ...(run === 1 && { version: definition.version }),
      run,
      worker: `${hostname()}:${process.pid}`,
    };
    this.#position = position;
    this.#context = context;
    this.#checkpoint = new RunCheckpoint(parts, begun, position, context);
    this.#hooks = new RunHooks(definition.hooks, context, parts);
    this.#committed =
      definition.transactions &&
      new CommittedProgress(
        definition.transactions,
        { prefix, queue: job.queueName, jobId: job.id as string, jobTimestamp: job.timestamp },
        { life: begun.life, run },
      );
    const own = { ...parts, position, context, checkpoint: this.#checkpoint, hooks: this.#hooks };
    const handleItem = handlerOf(definition, context);
    this.#work = this.#committed
      ? new TransactionalWork({ ...own, committed: this.#committed, handleItem })
      : new PlainWork(handleItem, this.#checkpoint);
    this.#skips = new Skips({ ...own, work: this.#work });
    this.#conclusion = new Conclusion({ ...own, guard, work: this.#work, committed: this.#committed });
  }

  async execute(): Promise<Settlement> {
    const { interruption, log } = this.parts;
    const { cancelled, foreign } = this.restored;
    if (foreign !== undefined) {
      log.warn(
        `its progress ${JSON.stringify(foreign)} is no checkpoint of this library: it starts from the beginning`,
      );
    }
    if (cancelled) return this.#conclusion.cancelled(new IterationCancelledError());
    const ending = await interruption.untilAbandoned(this.#iterate());
    return this.#conclusion.conclude(
      ending ?? { type: 'interrupt', interruption: { reason: 'shutdown' }, begun: this.#begun },
    );
  }

  /** From the cursor to the end of the items. What user code throws on the way is an ending too. */
  async #iterate(): Promise<Ending> {
    const { definition } = this.parts;
    try {
      if (this.#committed && !(await claimRow(this.#committed, this.#checkpoint, this.#context)))
        return { type: 'lost' };
      const blame = await this.#blame();
      if (blame && definition.options.crashes.then === 'fail') return { type: 'error', error: blame };
      // What onChange says is of the source's cursors, and a redrive's is none.
      const change = redriveOf(this.parts.job) ? undefined : versionChange(definition, this.#checkpoint.current);
      if (change) this.#follow(change);
      this.#checkpoint.change({ version: definition.version });
      return await this.#iterateItems(blame);
    } catch (error) {
      if (!(error instanceof SourceChangedError) || this.#position.finished > 0) return this.#error(error);
      return this.#iterateChanged(error);
    }
  }

  #blame(): Promise<CrashLoopError | undefined> {
    const { definition, job, store } = this.parts;
    return crashLoop(this.#checkpoint.current, { job, store, limit: definition.options.crashes.limit });
  }

  /** Once: a source that changes again is not followed. */
  async #iterateChanged(change: SourceChangedError): Promise<Ending> {
    try {
      this.#follow(change);
      return await this.#iterateItems();
    } catch (error) {
      return this.#error(error);
    }
  }

  /** What the handler, the builder, a hook or a named function of a source threw is an Error by now. */
  #error(thrown: unknown): Ending {
    return { type: 'error', error: toError(thrown, `The enumerator of ${this.parts.definition.builderName}`) };
  }

  #follow(change: SourceChangedError): void {
    const next = cursorAfter(change, this.parts.definition, this.#checkpoint.current);
    const where = next === null ? 'from the beginning' : `behind ${JSON.stringify(next)}`;
    this.parts.log.warn(`${change.message}. It goes on ${where} (onChange)`);
    this.#context.stopped = undefined;
    this.#checkpoint.moveTo(next);
    this.#hasFollowed = true;
  }

  async #iterateItems(blame?: CrashLoopError): Promise<Ending> {
    const { clock, definition, interruption, lock, log } = this.parts;
    const { letter } = this.#checkpoint.current;
    if (letter && !(await this.#skips.write(letter))) return { type: 'lost' };
    const enumerator = await buildSource(this.parts, this.#context);
    if (!enumerator) return { type: 'nothing to do' };
    lock.check(clock.now());
    if (interruption.pending) return { type: 'interrupt', interruption: interruption.pending, begun: this.#begun };
    const size = new JobSize(enumerator, { ...this.parts, checkpoint: this.#checkpoint, position: this.#position });
    if (!this.#begun && !(await this.#begin(size))) return { type: 'lost' };
    if (this.#hasFollowed && !(await this.#work.record({}))) return { type: 'lost' };

    const watch = new RunWatch({
      ...this.parts,
      position: this.#position,
      options: definition.options,
      careful: this.restored.careful === true,
      suspicion: { crashes: this.#checkpoint.current.crashes?.length ?? 0, suspects: this.parts.suspects },
      save: (running) => {
        void size.checkNotEndless();
        return this.#checkpoint.save(running);
      },
    });
    const warn = (message: string) => log.warn(message);
    const feed = new PageFeed({ reader: readerOf(enumerator, this.#position.passed), interruption, watch, warn });
    const failure = new ItemFailure({
      ...this.parts,
      position: this.#position,
      work: this.#work,
      skips: this.#skips,
      watch,
      feed,
      halve: 'halve' in enumerator ? enumerator.halve?.bind(enumerator) : undefined,
    });
    const context = this.#context;
    const common = { blame, context, failure, feed, interruption, position: this.#position, warn, watch };
    try {
      const end = await (this.#itemConcurrency > 1
        ? new ItemsInFlight({
            ...common,
            most: this.#itemConcurrency,
            skips: definition.options.itemFailure.then === 'skip',
            slot: () => this.#slot(),
            passedStop: () => this.#checkpoint.change({ stopped: context.stopped }),
          }).run()
        : loopOverItems({ ...common, work: this.#work }));
      if (end.type === 'complete') await size.checkComplete();
      return end.type === 'interrupt' ? { ...end, begun: true } : end;
    } finally {
      watch.end();
      await feed.close();
    }
  }

  /** A dead letter's item may live only until the next is looked for. */
  get #itemConcurrency(): number {
    return redriveOf(this.parts.job) ? 1 : this.parts.definition.options.itemConcurrency;
  }

  /** A handler whose context is its own. */
  #slot(): Slot {
    const context = this.#context.fork();
    return { context, handle: handlerOf(this.parts.definition, context) };
  }

  /**
   * R11: `start` is recorded when it has returned; it is the first of a job's life also when an earlier run died before it.
   *
   * @returns false when the lock is lost.
   */
  async #begin(size: JobSize): Promise<boolean> {
    const { log } = this.parts;
    this.#begun = true;
    size.ask();
    await leaveScheduler(this.parts);
    if (this.#checkpoint.current.started) {
      log.resumed(this.#checkpoint.current);
      await this.#hooks.call('resume', undefined);
    } else {
      log.started();
      await this.#hooks.call('start', undefined);
      this.#checkpoint.change({ started: true });
    }
    await this.#checkpoint.save(this.restored.careful ? 'careful' : 'items');
    return true;
  }
}
