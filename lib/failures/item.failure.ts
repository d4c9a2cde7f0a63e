import type { Position } from '../checkpoint/index.js';
import {
  type Enumerator,
  halvesOf,
  type Outcome,
  type Piece,
  type Place,
  toError,
} from '../enumerators/contract/index.js';
import { CrashLoopError, ItemGoneError } from '../iteration.errors.js';
import {
  controlErrorOf,
  type ItemWork,
  isUnrecoverable,
  type PageFeed,
  type RunParts,
  type RunWatch,
} from '../runtime/index.js';
import type { Skips } from './item.skip.js';

export interface ItemFailureParts extends RunParts {
  readonly position: Position;
  readonly work: ItemWork;
  readonly skips: Skips;
  readonly watch: RunWatch;
  readonly halve: Enumerator<unknown>['halve'];
  /** Whether an item may be left unfinished when the run has to end. */
  readonly feed: Pick<PageFeed, 'mayLeave'>;
}

const MAX_BACKOFF_MS = 5_000;
/** Of Node's timers: a longer one would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
/** How often the lock and the run time are looked at while a further try is waited for. */
const WAITING_LOOK_MS = 250;

/** A further try. */
interface Again {
  readonly again: () => unknown;
  /** Whether the item may be left unfinished when the run has to end; by default what the feed says then. */
  readonly mayLeave?: () => boolean;
}

/** Tries items again in place, halves batches, skips what cannot be handled (R24); else it is a failure of the job. */
export class ItemFailure {
  /** Whether any part of the batch at hand was handled. */
  #anyHandled = false;

  constructor(private readonly parts: ItemFailureParts) {}

  /** An item that threw is tried again, or given up. @throws what fails the job */
  async overcome(thrown: unknown, place: Place): Promise<Outcome> {
    const { position, work } = this.parts;
    const { page, index } = place;
    const { processed, skipped, passed } = position;
    const after = { cursor: page.cursorAt(index), processed: processed + 1, skipped, passed: passed + 1 };
    const retried = await this.retry(thrown, { again: () => work.handleOne(page.items[index], after) });
    return retried instanceof Failed ? this.giveUp(retried, place) : retried;
  }

  /** Further tries in place. @throws what no further try may hold up */
  async retry(thrown: unknown, { again, mayLeave }: Again): Promise<'handled' | 'left' | Failed> {
    const { attempts } = this.parts.definition.options.itemFailure;
    let last = toError(thrown, this.parts.definition.handlerName);
    if (last instanceof CrashLoopError) return new Failed(last, last.crashes);
    for (let tries = 1; ; tries++) {
      if (last instanceof ItemGoneError) return new Failed(last, tries);
      this.#mustNotBeFinal(last);
      if (tries >= attempts) return new Failed(last, tries);
      if (!(await this.#backOff(tries, mayLeave))) return 'left';
      try {
        await again();
        return 'handled';
      } catch (error) {
        last = toError(error, this.parts.definition.handlerName);
      }
    }
  }

  /** The item behind the position has failed for good: it is halved, or skipped. @throws what fails the job */
  async giveUp(failed: Failed, { page, index }: Place): Promise<Outcome> {
    const { position } = this.parts;
    const { error } = failed;
    const whole = { item: page.items[index], before: position.cursor, cursor: page.cursorAt(index) };
    const pass = () => position.skip(page, index);
    if (error instanceof CrashLoopError || error instanceof ItemGoneError) return this.#skip(failed, whole, pass);
    this.#mustBeSkippable(error);
    const halves = await this.#halve(whole, error);
    if (!halves) return this.#skip(failed, this.#record(whole), pass);
    this.#anyHandled = false;
    return this.#narrow(halves, () => position.skip(page, index, this.#anyHandled));
  }

  /** Halves in order, each until it is handled, or found guilty and skipped. @param end Moves behind the whole batch. */
  async #narrow([first, second]: readonly [Piece, Piece], end?: () => void): Promise<Outcome> {
    const outcome = await this.#part(first);
    return outcome === 'left' ? outcome : this.#part(second, end);
  }

  async #part(piece: Piece, end?: () => void): Promise<Outcome> {
    const { definition, interruption, position, watch, work } = this.parts;
    await watch.look();
    if (interruption.pending && this.parts.feed.mayLeave) return 'left';
    const { cursor } = piece;
    const pass = end ?? (() => position.passTo(cursor));
    const { processed, skipped, passed } = position;
    const after = { cursor, processed: processed + (end ? 1 : 0), skipped, passed: passed + (end ? 1 : 0) };
    try {
      await work.handleOne(piece.item, after);
    } catch (thrown) {
      const error = toError(thrown, definition.handlerName);
      this.#mustBeSkippable(error);
      const halves = await this.#halve(piece, error);
      if (halves) return this.#narrow(halves, end);
      const retried = await this.retry(error, { again: () => work.handleOne(piece.item, after) });
      if (retried instanceof Failed) {
        this.#mustBeSkippable(retried.error);
        return this.#skip(retried, this.#record(piece), pass);
      }
      if (retried === 'left') return retried;
    }
    this.#anyHandled = true;
    pass();
    if (watch.moved()) await watch.save();
    return 'passed';
  }

  /** @returns false when the run has to end first. */
  async #backOff(tries: number, mayLeave = () => this.parts.feed.mayLeave): Promise<boolean> {
    const { clock, interruption, lock, watch } = this.parts;
    await watch.saveBeforeWait();
    const looks = setInterval(() => watch.lookWhileAwaiting(), WAITING_LOOK_MS).unref();
    await interruption.wait(this.#backoffMs(tries));
    clearInterval(looks);
    await watch.look();
    return lock.check(clock.now()) && !(interruption.pending && mayLeave());
  }

  #backoffMs(tries: number): number {
    const { definition, log } = this.parts;
    const { backoffMs } = definition.options.itemFailure;
    if (typeof backoffMs === 'number') return Math.min(MAX_BACKOFF_MS, backoffMs * 2 ** (tries - 1));
    try {
      const given: unknown = backoffMs(tries);
      if (typeof given === 'number' && given >= 0) return Math.min(LONGEST_TIMER_MS, given);
      log.warn(`itemFailure.backoffMs gave ${String(given)}, which is no number of milliseconds; it is tried at once`);
    } catch (error) {
      log.warn(`itemFailure.backoffMs failed (${toError(error, 'backoffMs').message}); it is tried at once`);
    }
    return 0;
  }

  /** @throws what no further try and no skipping may hold up: BullMQ's own errors, and what a run says that must end. */
  #mustNotBeFinal(error: Error): void {
    const { interruption, work } = this.parts;
    const over = interruption.signal.aborted || interruption.pending?.reason === 'lockLost' || work.isUncertain;
    if (over || controlErrorOf(error) || isUnrecoverable(error)) throw error;
  }

  /** @throws the error, when it fails the job instead */
  #mustBeSkippable(error: Error): void {
    this.#mustNotBeFinal(error);
    const { then: next, when } = this.parts.definition.options.itemFailure;
    if (next === 'skip') {
      try {
        if (when(error)) return;
      } catch (thrown) {
        this.parts.log.warn(`itemFailure.when failed (${toError(thrown, 'when').message}); the item is not skipped`);
      }
    }
    throw error;
  }

  async #halve(piece: Piece, failure: Error): Promise<readonly [Piece, Piece] | undefined> {
    const { halve, log } = this.parts;
    try {
      return await halvesOf(halve, piece);
    } catch (error) {
      log.warn(`a batch that failed could not be halved: ${toError(error, 'halve').message}`);
      throw failure;
    }
  }

  /** What could not be halved. */
  #record(piece: Piece): Piece {
    return { ...piece, isRecord: this.parts.halve !== undefined };
  }

  async #skip(failed: Failed, piece: Piece, pass: () => void): Promise<Outcome> {
    return (await this.parts.skips.skip(failed, piece, pass)) ? 'passed' : 'left';
  }
}

/** All tries in place have failed. */
export class Failed {
  constructor(
    readonly error: Error,
    readonly tries: number,
  ) {}
}
