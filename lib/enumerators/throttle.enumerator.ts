import type { Cursor } from '../cursor.js';
import { InvalidEnumeratorError, InvalidOptionsError } from '../iteration.errors.js';
import {
  called,
  type Enumerator,
  type EnumeratorLike,
  isEnumeratorLike,
  isThrottled,
  type Page,
  type PageReader,
  pageSlice,
  refuseUnknown,
  SourceEnumerator,
  sourceLike,
  sourceOf,
} from './contract/index.js';

export interface ThrottleOptions {
  /** Whether to pause now. Called before each item, and before the source is read. */
  when: () => boolean | Promise<boolean>;
  /** How long the job waits then, in milliseconds. */
  retryInMs: number;
}

/** The same items, but the run ends while `when()` returns true, and the job resumes `retryInMs` later. */
export function throttleEnumerator<Item, C extends Cursor>(
  enumerator: EnumeratorLike<Item, C>,
  options: ThrottleOptions,
): Enumerator<Item, C> {
  const { when, retryInMs } = options ?? {};
  if (!isEnumeratorLike(enumerator)) {
    throw new InvalidEnumeratorError(`throttle(${String(enumerator)}): give it an enumerator or an iterable`);
  }
  refuseUnknown(options ?? {}, ['when', 'retryInMs'], 'throttle');
  if (typeof when !== 'function') {
    throw new InvalidOptionsError(
      `throttle: when is ${String(when)}; it must be a function that says whether to pause`,
    );
  }
  if (!Number.isFinite(retryInMs) || retryInMs < 0) {
    throw new InvalidOptionsError(`throttle: retryInMs is ${String(retryInMs)}; it must be a number of milliseconds`);
  }
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
