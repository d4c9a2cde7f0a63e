import type { Cursor } from '../cursor.js';
import { describe } from '../describe.js';
import { InvalidEnumeratorError } from '../iteration.errors.js';
import { aFunction, check, delay, required } from '../rules.js';
import {
  called,
  type Enumerator,
  type EnumeratorLike,
  isEnumeratorLike,
  isThrottled,
  type Page,
  type PageReader,
  pageSlice,
  SourceEnumerator,
  sourceLike,
  sourceOf,
} from './contract/index.js';

/** When a source is paused. */
export interface ThrottleOptions {
  /** Whether to pause now. Called before each item, and before the source is read. */
  when: () => boolean | Promise<boolean>;
  /** How long the job waits before it resumes, in milliseconds. */
  retryInMs: number;
}

/** The same items, but the run ends while `when()` returns true, and the job resumes `retryInMs` later. */
export function throttleEnumerator<Item, C extends Cursor>(
  enumerator: EnumeratorLike<Item, C>,
  options: ThrottleOptions,
): Enumerator<Item, C> {
  if (!isEnumeratorLike(enumerator)) {
    throw new InvalidEnumeratorError(`throttle(${describe(enumerator)}): give it an enumerator or an iterable`);
  }
  check('throttle', options, { when: required(aFunction), retryInMs: required(delay) });
  const { when, retryInMs } = options;
  const { source, cursor } = sourceOf(enumerator);
  const read: typeof source.read = (bounds) => throttled(source.read(bounds), { when, retryInMs });
  return new SourceEnumerator(sourceLike(source, { read }), cursor);
}

/** One item per page, none read ahead: nothing is fetched before `when` was called. */
function throttled<Item, C extends Cursor>(
  reader: PageReader<Item, C>,
  { when, retryInMs }: ThrottleOptions,
): PageReader<Item, C> {
  let page: Page<Item, C> | undefined;
  let index = 0;

  return {
    get destructiveRead() {
      return reader.destructiveRead === true;
    },
    async next() {
      if (await called('when of throttle', when)) return { retryInMs };
      if (!page || index === page.items.length) {
        const next = await reader.next();
        if (!next || isThrottled(next) || next.items.length === 0) return next;
        page = next;
        index = 0;
      }
      return pageSlice(page, index, ++index);
    },
    close: () => reader.close(),
  };
}
