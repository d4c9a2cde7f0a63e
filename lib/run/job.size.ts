import { inspect } from 'node:util';
import { type EnumeratorLike, sourceOf, toError } from '../enumerators/contract/index.js';
import { InvalidEnumeratorError } from '../iteration.errors.js';
import { INITIAL_CURSOR } from './checkpoint.js';
import { isPromise } from './is.promise.js';
import type { Position } from './position.js';
import type { RunCheckpoint } from './run.checkpoint.js';
import type { RunParts } from './run.parts.js';

/** A source gave clearly fewer items than it has when it gave less than this part of them. */
const CLEARLY_FEWER = 0.9;
/** A job visits items again when it has handled this many times its size, and a few more. */
const VISITED_TWICE = 2;
const A_FEW = 10;

/** What a run makes of the size of its source: asks for it once in a job's life, and compares it with what was handled. */
export class JobSize {
  #hasWarned = false;

  constructor(
    private readonly enumerator: EnumeratorLike<unknown>,
    private readonly parts: Pick<RunParts, 'interruption' | 'job' | 'log'> & {
      readonly checkpoint: RunCheckpoint;
      readonly position: Position;
    },
  ) {}

  /** Asks the source how many items it has, beside its first items: a count may take long. */
  ask(): void {
    const { enumerator } = this;
    const { checkpoint } = this.parts;
    if (checkpoint.current.size !== undefined || !('size' in enumerator) || typeof enumerator.size !== 'function')
      return;
    const unknown = (error: unknown) => this.parts.log.warn(`its size is not known: ${toError(error, 'size').message}`);
    const keep = (size: unknown) => {
      if (Number.isFinite(size) && (size as number) >= 0) checkpoint.change({ size: size as number });
      else if (size === undefined) checkpoint.change({ size: null });
      else unknown(new InvalidEnumeratorError(`size gave ${inspect(size)}, which is not a number of items`));
    };
    try {
      const size: unknown = enumerator.size();
      if (isPromise(size)) Promise.resolve(size).then(keep, unknown);
      else keep(size);
    } catch (error) {
      unknown(error);
    }
  }

  /** Says once in a run that the job may never end. */
  checkNotEndless(): void {
    const { checkpoint, log, position } = this.parts;
    const { size } = checkpoint.current;
    if (this.#hasWarned || typeof size !== 'number' || position.passed < VISITED_TWICE * size + A_FEW) return;
    this.#hasWarned = true;
    log.warn(
      `it has handled ${position.passed} items, and its source counted ${size}. Items that a handler moves ahead in the order ` +
        'of the source come again, so it may never end: order by a key that the handler leaves alone (the primary key), ' +
        'or bound the source (such as updatedAt < the time when the job was added)',
    );
  }

  /** At the end of the source: says when it clearly gave fewer items than it counted, and still has. */
  async checkComplete(): Promise<void> {
    const { checkpoint, interruption, job, log, position } = this.parts;
    const { size } = checkpoint.current;
    const isWhole = !(INITIAL_CURSOR in job.opts);
    if (!isWhole || typeof size !== 'number' || position.passed >= CLEARLY_FEWER * size) return;
    try {
      const left = await interruption.untilAbandoned(
        Promise.resolve(sourceOf(this.enumerator).source.size?.({ exact: true })),
      );
      if (left === undefined || position.passed >= CLEARLY_FEWER * left) return; // deleted, or not known
      log.warn(
        `its source ended, and not all of its items were handled: counted ${Math.min(size, left)}, handled ${position.passed}. ` +
          'Something between the source and its rows leaves items out',
      );
    } catch (error) {
      log.warn(`its source could not be counted again at its end: ${toError(error, 'size').message}`);
    }
  }
}
