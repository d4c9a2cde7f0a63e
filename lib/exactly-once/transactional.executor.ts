import { setTimeout as delay } from 'node:timers/promises';
import type { Checkpoint, Position, Progress, RunCheckpoint } from '../checkpoint/index.js';
import { checkJson } from '../cursor.js';
import type { Page } from '../enumerators/contract/index.js';
import { IterationError } from '../iteration.errors.js';
import type { ItemWork, RunContext, RunParts } from '../runtime/index.js';
import type { CommittedDocument, CommittedProgress } from './transactional.checkpoint.js';

export interface TransactionalParts extends RunParts {
  readonly position: Position;
  readonly context: RunContext;
  readonly checkpoint: RunCheckpoint;
  readonly committed: CommittedProgress;
  readonly handleItem: (item: unknown) => unknown;
}

/** Deadlocks in a row before one counts as a failure of its item. */
const MAX_DEADLOCKS = 10;
/** Commits that failed in a row, the handler having done its work. */
const MAX_COMMITS = 3;
const DEADLOCK_WAIT_MS = 10;
const ASK_AGAIN_MS = 250;

/** What a handler writes by `context.transaction`, and where the job then stands, in one transaction (R25). */
export class TransactionalWork implements ItemWork {
  last = -1;
  isUncertain = false;
  /** Items up to here are handled one by one: together they failed. */
  #singly: { readonly page: Page<unknown>; readonly last: number } | undefined;

  constructor(private readonly parts: TransactionalParts) {}

  async handle(page: Page<unknown>, index: number): Promise<void> {
    const { position, interruption } = this.parts;
    const end = this.#endOfGroup(page, index);
    let tried = index;
    try {
      await this.#transact(async () => {
        const endsAt = this.parts.clock.now() + this.parts.definition.options.checkpoint.everyMs;
        for (tried = index; tried < end; tried++) {
          if (tried > index && this.#isOver(endsAt)) break;
          await this.parts.handleItem(page.items[tried]);
          this.last = tried;
        }
        const count = this.last - index + 1;
        const { processed, skipped, passed } = position;
        return {
          cursor: page.cursorAt(this.last),
          processed: processed + count,
          skipped,
          passed: passed + count,
        };
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
      await this.parts.handleItem(item);
      return after;
    });
  }

  async record({ letter }: Pick<Checkpoint, 'letter'>): Promise<boolean> {
    this.parts.checkpoint.change({ letter });
    try {
      await this.#transact(async () => this.parts.position);
    } catch (error) {
      if (this.parts.interruption.pending?.reason !== 'lockLost') throw error;
      return false;
    }
    return true;
  }

  /** Before which item of the page a transaction that begins with the one at `index` ends at the latest. */
  #endOfGroup(page: Page<unknown>, index: number): number {
    const { checkpoint, definition } = this.parts;
    const singly = this.#singly?.page === page && index <= this.#singly.last;
    const size = singly || checkpoint.current.running === 'careful item' ? 1 : definition.itemsPerTransaction;
    return Math.min(index + size, page.items.length);
  }

  /** Whether a transaction is to be committed with the items that it has. */
  #isOver(endsAt: number): boolean {
    const { clock, context, interruption, lock } = this.parts;
    const now = clock.now();
    return now >= endsAt || !lock.check(now) || interruption.pending !== undefined || context.stopped !== undefined;
  }

  /**
   * Tried again after a deadlock, and after a commit that failed: the handler is not to blame for a connection that ended.
   * A commit whose answer was lost is asked after.
   */
  async #transact(work: () => Promise<Progress>): Promise<void> {
    const { committed, context, interruption } = this.parts;
    const { stopped } = context;
    const state = structuredClone(context.state);
    for (let repeats = 1; ; repeats++) {
      let document: string | undefined;
      try {
        return await committed.host.run(async (transaction) => {
          document = undefined;
          context.beginTransaction(transaction);
          const written = this.#document(await work());
          context.endTransaction();
          await this.#save(transaction, written);
          document = written;
        });
      } catch (error) {
        context.endTransaction();
        if (document !== undefined && (await this.#isCommitted(document, error))) return;
        context.state = structuredClone(state);
        context.stopped = stopped;
        const most = document !== undefined ? MAX_COMMITS : committed.host.isTransient(error) ? MAX_DEADLOCKS : 0;
        if (interruption.signal.aborted || repeats >= most) throw error;
        await delay(Math.random() * DEADLOCK_WAIT_MS * 2 ** repeats);
      }
    }
  }

  async #save(transaction: unknown, document: string): Promise<void> {
    const { clock, committed, lock } = this.parts;
    if (lock.check(clock.now()) && (await committed.save(transaction, document))) return;
    lock.lose();
    throw new IterationError('Another run has the job: what this one did is rolled back');
  }

  /** @throws IterationError when it cannot be learnt: the next run will. */
  async #isCommitted(document: string, cause: unknown): Promise<boolean> {
    const { clock, committed, interruption, lock, log } = this.parts;
    do {
      try {
        const holds = await committed.holds(document);
        if (holds === undefined) lock.lose();
        else return holds;
      } catch (error) {
        log.warn(`whether its last transaction is committed could not be asked (${String(error)}); asking again`);
        await delay(ASK_AGAIN_MS);
      }
    } while (lock.check(clock.now()) && !interruption.pending);
    this.isUncertain = true;
    log.warn('whether its last transaction is committed is not known yet: the next run looks');
    throw new IterationError(
      'The connection ended while a transaction was being committed, and whether it was is not known yet: ' +
        'the next run of the job looks, and handles its items again only if it was not',
      { cause },
    );
  }

  #document(progress: Progress): string {
    const { checkpoint, context, definition, position } = this.parts;
    const { cursor, processed, skipped, passed } = progress;
    checkJson(cursor);
    if (context.state !== null) checkJson(context.state, 'state');
    const document: CommittedDocument = {
      cursor,
      processed,
      skipped,
      passed,
      state: context.state,
      version: definition.version,
      letter: checkpoint.current.letter,
      // What is left of a batch is handled still.
      stopped: progress !== position && passed === position.passed ? undefined : context.stopped,
    };
    return JSON.stringify(document);
  }
}
