import type { Enumerator } from '../enumerators/contract/index.js';
import { CrashLoopError, ItemGoneError } from '../iteration.errors.js';
import { controlErrorOf, isUnrecoverable, toError } from './failure.js';
import type { ItemWork } from './item.work.js';
import { halvesOf, type Outcome, type Piece, type Place } from './piece.js';
import type { Position, Progress } from './position.js';
import type { RunParts } from './run.parts.js';
import type { RunWatch } from './run.watch.js';
import type { Skips } from './skips.js';

export interface ItemFailureParts extends RunParts {
  readonly position: Position;
  readonly work: ItemWork;
  readonly skips: Skips;
  readonly watch: RunWatch;
  readonly halve: Enumerator<unknown>['halve'];
}

const MAX_BACKOFF_MS = 5_000;
/** Of Node's timers: a longer one would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
/** How often the lock and the run time are looked at while a further try is waited for. */
const WAITING_LOOK_MS = 250;

/** Tries items again in place, halves batches, skips what cannot be handled (R24); else it is a failure of the job. */
export class ItemFailure {
  /** Whether any part of the batch at hand was handled. */
  #anyHandled = false;
  #mayLeave!: Place['mayLeave'];

  constructor(private readonly parts: ItemFailureParts) {}

  /** @throws what fails the job */
  async overcome(thrown: unknown, { page, index, mayLeave }: Place): Promise<Outcome> {
    const { position } = this.parts;
    this.#mayLeave = mayLeave;
    const whole = { item: page.items[index], before: position.cursor, cursor: page.cursorAt(index) };
    const error = toError(thrown, this.parts.definition.handlerName);
    const pass = () => position.skip(page, index);
    if (error instanceof CrashLoopError) return this.#skip({ error, tries: error.crashes }, whole, pass);
    if (error instanceof ItemGoneError) return this.#skip({ error, tries: 1 }, whole, pass);

    const { processed, skipped, passed } = position;
    const after = { cursor: whole.cursor, processed: processed + 1, skipped, passed: passed + 1 };
    const retried = await this.#retry(error, whole, after);
    if (!(retried instanceof Failed)) return retried;
    this.#mustBeSkippable(retried.error);
    const halves = await this.#halve(whole, retried.error);
    if (!halves) return this.#skip(retried, this.#record(whole), pass);
    this.#anyHandled = false;
    return this.#narrow(halves, () => {
      position.skip(page, index);
      if (this.#anyHandled) position.processed++;
    });
  }

  /** Halves in order, each until it is handled, or found guilty and skipped. @param end Moves behind the whole batch. */
  async #narrow([first, second]: readonly [Piece, Piece], end?: () => void): Promise<Outcome> {
    const outcome = await this.#part(first);
    return outcome === 'left' ? outcome : this.#part(second, end);
  }

  async #part(piece: Piece, end?: () => void): Promise<Outcome> {
    const { definition, interruption, position, watch, work } = this.parts;
    await watch.look();
    if (interruption.pending && this.#mayLeave()) return 'left';
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
      const retried = await this.#retry(error, piece, after);
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

  /** Further tries in place. */
  async #retry(error: Error, { item }: Piece, after: Progress): Promise<'handled' | 'left' | Failed> {
    const { definition, work } = this.parts;
    const { attempts } = definition.options.itemFailure;
    let last = error;
    for (let tries = 1; ; tries++) {
      this.#mustNotBeFinal(last);
      if (tries >= attempts) return new Failed(last, tries);
      if (!(await this.#backOff(tries))) return 'left';
      try {
        await work.handleOne(item, after);
        return 'handled';
      } catch (thrown) {
        last = toError(thrown, definition.handlerName);
      }
    }
  }

  /** @returns false when the run has to end first. */
  async #backOff(tries: number): Promise<boolean> {
    const { clock, interruption, lock, watch } = this.parts;
    await watch.save(); // it may wait for long, and no handler is at work meanwhile (R18, R19)
    const looks = setInterval(() => watch.lookWhileAwaiting(), WAITING_LOOK_MS).unref();
    await interruption.wait(this.#backoffMs(tries));
    clearInterval(looks);
    await watch.look();
    return lock.check(clock.now()) && !(interruption.pending && this.#mayLeave());
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

  async #skip(failed: Failed | { error: Error; tries: number }, piece: Piece, pass: () => void): Promise<Outcome> {
    return (await this.parts.skips.skip(failed, piece, pass)) ? 'passed' : 'left';
  }
}

/** All tries in place have failed. */
class Failed {
  constructor(
    readonly error: Error,
    readonly tries: number,
  ) {}
}
