import { inspect } from 'node:util';
import { initialCursor } from '../checkpoint/index.js';
import { type Enumerator, type EnumeratorLike, sourceOf, toError } from '../enumerators/contract/index.js';
import { isPromise } from '../is.promise.js';
import { InvalidEnumeratorError } from '../iteration.errors.js';
import type { Run } from '../runtime/index.js';

/** A source that gave less than this share of its items has clearly left some out. */
const CLEARLY_FEWER = 0.9;
/** A job that has handled this many times its size, and a few more, visits items again. */
const VISITED_TWICE = 2;
const A_FEW = 10;

/** The size of a run's source: counted once in a job's life, and compared with what was handled. */
export class SourceSize {
  #isSuspected = false;
  #isFractionWrong = false;

  constructor(
    private readonly enumerator: EnumeratorLike<unknown>,
    private readonly run: Pick<Run, 'checkpoint' | 'interruption' | 'job' | 'log' | 'progress' | 'settings'>,
  ) {
    const { fraction } = enumerator as Enumerator<unknown>;
    if (typeof fraction !== 'function') return;
    run.checkpoint.fractionAt = (cursor) =>
      cursor === null ? 0 : this.#fraction(() => fraction.call(enumerator, cursor));
  }

  /** Asks the source how many items it has. Nobody waits for the answer: a count may take long. */
  ask(): void {
    const { enumerator } = this;
    const { checkpoint, settings } = this.run;
    if (checkpoint.current.size !== undefined || !('size' in enumerator) || typeof enumerator.size !== 'function')
      return;
    const unknown = (error: unknown) => this.run.log.warn(`its size is unknown: ${toError(error, 'size').message}`);
    const keep = (size: unknown) => {
      if (Number.isFinite(size) && (size as number) >= 0)
        checkpoint.change({ size: settings.inBatches(size as number) });
      else if (size === undefined) checkpoint.change({ size: null });
      else unknown(new InvalidEnumeratorError(`size returned ${inspect(size)}, which is not a number of items`));
    };
    try {
      const size: unknown = enumerator.size();
      if (isPromise(size)) Promise.resolve(size).then(keep, unknown);
      else keep(size);
    } catch (error) {
      unknown(error);
    }
  }

  /** Undefined where the source does not know it, and where it fails, with one warning in a run. */
  #fraction(ask: () => unknown): number | undefined {
    try {
      const fraction = ask();
      if (fraction === undefined || ((fraction as number) >= 0 && (fraction as number) <= 1)) return fraction as number;
      throw new InvalidEnumeratorError(`fraction returned ${inspect(fraction)}, which is not a number from 0 to 1`);
    } catch (error) {
      const { message } = toError(error, 'fraction');
      if (!this.#isFractionWrong) this.run.log.warn(`its fraction is unknown: ${message}`);
      this.#isFractionWrong = true;
      return undefined;
    }
  }

  /** Warns once in a run that the job may never end, unless the source has grown, or its size was only estimated. */
  async checkNotEndless(): Promise<void> {
    const { checkpoint, log, progress } = this.run;
    const isBeyond = (size: unknown) => typeof size === 'number' && progress.itemsSeen >= VISITED_TWICE * size + A_FEW;
    if (this.#isSuspected || !isBeyond(checkpoint.current.size)) return;
    this.#isSuspected = true;
    const size = await this.#exact();
    if (!isBeyond(size)) return;
    log.warn(
      `it has handled ${progress.itemsSeen} items, and its source counted ${size}. Items that a handler moves ahead in the order ` +
        'of the source come again, so it may never end: order by a key that the handler leaves alone (the primary key), ' +
        'or bound the source (such as updatedAt < the time when the job was added)',
    );
  }

  /** At the end of the source: warns when the source clearly gave fewer items than it counted, and still has. */
  async checkComplete(): Promise<void> {
    const { checkpoint, job, log, progress } = this.run;
    const { size } = checkpoint.current;
    const isWhole = initialCursor(job) === null && checkpoint.current.restartCursor === undefined;
    if (!isWhole || typeof size !== 'number' || progress.itemsSeen >= CLEARLY_FEWER * size) return;
    const left = await this.#exact();
    if (left === undefined || progress.itemsSeen >= CLEARLY_FEWER * left) return; // deleted, or unknown
    log.warn(
      `its source ended, and not all of its items were handled: counted ${Math.min(size, left)}, handled ${progress.itemsSeen}. ` +
        'Something between the source and its rows leaves items out',
    );
  }

  /** The size now, if the source knows it exactly. */
  async #exact(): Promise<number | undefined> {
    const { interruption, log } = this.run;
    try {
      const { source } = sourceOf(this.enumerator);
      return await interruption.untilAbandoned(Promise.resolve(source.size?.({ exact: true })));
    } catch (error) {
      log.warn(`its source could not be counted again: ${toError(error, 'size').message}`);
      return undefined;
    }
  }
}
