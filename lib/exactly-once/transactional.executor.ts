import { setTimeout as delay } from 'node:timers/promises';
import type { Checkpoint, Progress } from '../checkpoint/index.js';
import { checkJson } from '../cursor.js';
import type { TransactionHost } from '../definition/index.js';
import type { Page } from '../enumerators/contract/index.js';
import { retryWhileHeld } from '../interruption/index.js';
import { IterationError } from '../iteration.errors.js';
import type { ItemExecutor, Run } from '../runtime/index.js';
import { acquireRow } from './acquire.row.js';
import { type CommittedDocument, TransactionalCheckpoint } from './transactional.checkpoint.js';

/** Deadlocks in a row before one counts as a failure of its item. */
const MAX_DEADLOCKS = 10;
/** Commits that failed in a row after the handler has succeeded. */
const MAX_COMMITS = 3;
const DEADLOCK_WAIT_MS = 10;

/** Commits what a handler writes by `context.transaction` together with the job's progress (R25). */
export class TransactionalExecutor implements ItemExecutor {
  last = -1;
  isUncertain = false;
  readonly #row: TransactionalCheckpoint;
  /** Items up to here are handled one by one, because they failed together. */
  #singly: { readonly page: Page<unknown>; readonly last: number } | undefined;

  constructor(
    private readonly run: Omit<Run, 'executor' | 'hooks'>,
    host: TransactionHost<unknown>,
    private readonly handleItem: (item: unknown) => unknown,
  ) {
    const { checkpoint, job, prefix } = run;
    const key = { prefix, queue: job.queueName, jobId: job.id as string, jobTimestamp: job.timestamp };
    this.#row = new TransactionalCheckpoint(host, key, { life: checkpoint.current.life, run: checkpoint.current.run });
  }

  acquire(): Promise<void> {
    return acquireRow(this.#row, this.run);
  }

  async handle(page: Page<unknown>, index: number): Promise<void> {
    const { clock, definition, interruption, progress, rate } = this.run;
    const end = this.#endOfGroup(page, index);
    let tried = index;
    try {
      await this.#transact(async () => {
        const endsAt = clock.now() + definition.options.checkpoint.everyMs;
        for (tried = index; tried < end; tried++) {
          if (tried > index && (this.#mustCommit(endsAt) || !rate.begin())) break;
          await this.handleItem(page.items[tried]);
          this.last = tried;
        }
        return progress.current.advance(page.cursorAt(this.last), this.last - index + 1);
      });
    } catch (error) {
      this.last = index;
      const alone = end === index + 1;
      if (alone || this.isUncertain || interruption.signal.aborted) throw error;
      this.#singly = { page, last: Math.min(tried, end - 1) };
      await this.handle(page, index);
    }
  }

  async handleOne(item: unknown, after: Progress): Promise<void> {
    await this.#transact(async () => {
      await this.handleItem(item);
      return after;
    });
  }

  async persist({ letter }: Pick<Checkpoint, 'letter'>): Promise<void> {
    const { checkpoint, progress } = this.run;
    checkpoint.change({ letter });
    await this.#transact(async () => progress.current, { isBetweenItems: true });
  }

  /** BullMQ's checkpoint holds everything now. A row that stays does no harm: the job's next generation empties it. */
  async release(): Promise<void> {
    const { checkpoint, interruption, log } = this.run;
    try {
      await interruption.untilAbandoned(this.#row.remove(checkpoint.current));
    } catch (error) {
      log.warn(`its row of iteration_checkpoint could not be removed: ${String(error)}`);
    }
  }

  /** A transaction that begins with the item at `index` ends before this item of the page at the latest. */
  #endOfGroup(page: Page<unknown>, index: number): number {
    const { checkpoint, definition } = this.run;
    const isSingle = this.#singly?.page === page && index <= this.#singly.last;
    const size = isSingle || checkpoint.current.running === 'careful item' ? 1 : definition.itemsPerTransaction;
    return Math.min(index + size, page.items.length);
  }

  /** Whether a transaction commits now, with the items that it has. */
  #mustCommit(endsAt: number): boolean {
    const { clock, context, interruption, lock } = this.run;
    return clock.now() >= endsAt || !lock.isHeld || interruption.pending !== undefined || context.stopped !== undefined;
  }

  /**
   * Tried again after a deadlock, and after a commit that failed: the handler is not to blame for a broken connection.
   * When the answer to a commit is lost, the row says whether it was committed.
   */
  async #transact(work: () => Promise<Progress>, { isBetweenItems = false } = {}): Promise<void> {
    const { context, interruption } = this.run;
    const { host } = this.#row;
    const { stopped } = context;
    const state = structuredClone(context.state);
    for (let repeats = 1; ; repeats++) {
      let document: string | undefined;
      try {
        return await host.run(async (transaction) => {
          document = undefined;
          context.beginTransaction(transaction);
          const written = this.#document(await work(), isBetweenItems);
          context.endTransaction();
          await this.#save(transaction, written);
          document = written;
        });
      } catch (error) {
        context.endTransaction();
        if (document !== undefined && (await this.#isCommitted(document, error))) return;
        context.state = structuredClone(state);
        context.stopped = stopped;
        const most = document !== undefined ? MAX_COMMITS : host.isTransient(error) ? MAX_DEADLOCKS : 0;
        if (interruption.signal.aborted || repeats >= most) throw error;
        await delay(Math.random() * DEADLOCK_WAIT_MS * 2 ** repeats);
      }
    }
  }

  /** @throws LockLostError: what this run did is rolled back */
  async #save(transaction: unknown, document: string): Promise<void> {
    const { lock } = this.run;
    lock.assertHeld();
    if (!(await this.#row.save(transaction, document))) throw lock.lose();
  }

  /** @throws IterationError when it cannot be learnt now: the next run will. */
  async #isCommitted(document: string, cause: unknown): Promise<boolean> {
    const { interruption, lock, log } = this.run;
    const ask = async () => {
      const isCommitted = await this.#row.holds(document);
      if (isCommitted === undefined) throw lock.lose();
      return isCommitted;
    };
    try {
      return await retryWhileHeld(lock, ask, (error) => {
        log.warn(`whether its last transaction is committed is not known (${String(error)}); asking again`);
        return !interruption.pending;
      });
    } catch {
      this.isUncertain = true;
      log.warn('whether its last transaction is committed is not known yet: the next run finds out');
      throw new IterationError(
        'The connection broke while a transaction was being committed, and whether it was is not known yet: the next run of ' +
          'the job finds out, and handles the items again only if it was not',
        { cause },
      );
    }
  }

  #document(after: Progress, isBetweenItems: boolean): string {
    const { checkpoint, context, definition, progress } = this.run;
    const { state } = context;
    checkJson(after.cursor);
    if (state !== null) checkJson(state, 'state');
    // The rest of a batch is still handled after a stop.
    const isPart = !isBetweenItems && after.itemsSeen === progress.itemsSeen;
    const document: CommittedDocument = {
      ...after.saved,
      state,
      version: definition.version,
      letter: checkpoint.current.letter,
      stopped: isPart ? undefined : context.stopped,
    };
    return JSON.stringify(document);
  }
}
