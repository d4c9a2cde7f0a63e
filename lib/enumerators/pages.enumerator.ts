import { type Cursor, checkJson, isSameJson, type Json } from '../cursor.js';
import { describe } from '../describe.js';
import { isPlain } from '../is.plain.js';
import { InvalidCursorError, InvalidEnumeratorError } from '../iteration.errors.js';
import { type Rules, required } from '../rules.js';
import {
  type At,
  type Bounds,
  CycleDetector,
  called,
  checkOptions,
  type Enumerator,
  type Page,
  type PageReader,
  readPages,
  type Source,
  SourceEnumerator,
} from './contract/index.js';

/** How pages are read. */
export interface PagesOptions<Item, Token extends Json> extends At {
  /**
   * Returns a page by its token. `null` asks for the first page. `next` is the token of the page after it, `null` at the end.
   *
   * A token is a text that is not blank, a number above 0, or an object or array that is not empty. An offset of 0, `''` and
   * `false` are refused: they could ask for the first page again.
   */
  fetch: (token: Token | null) => Promise<{ items: readonly Item[]; next: Token | null }>;
}

/** The page, and the index of the item in it. -1: the page is reached, and none of its items is finished. */
type PagesCursor = { readonly token: Json; readonly index: number };

const FETCH = 'a function: (token) => Promise<{ items, next }>';
const RULES: Rules = {
  cursor: () => true,
  fetch: required((value) => typeof value === 'function' || FETCH),
};

/** The items of an API's pages. A resumed run asks for the cursor's page again, and leaves out the finished items. */
export function pagesEnumerator<Item, Token extends Json>(options: PagesOptions<Item, Token>): Enumerator<Item> {
  checkOptions(options, RULES, 'pages');
  const { cursor, fetch } = options;
  checkCursor(cursor);
  return new SourceEnumerator(new ApiPages<Item, Token>(fetch), cursor);
}

class ApiPages<Item, Token extends Json> implements Source<Item> {
  constructor(private readonly fetch: PagesOptions<Item, Token>['fetch']) {}

  read({ after, until }: Bounds): PageReader<Item> {
    return readPages(this.#pages(checkCursor(after), checkCursor(until)));
  }

  async *#pages(after: PagesCursor | null, until: PagesCursor | null): AsyncGenerator<Page<Item>, void, void> {
    let start = (after?.index ?? -1) + 1;
    const cycles = new CycleDetector();
    for (let token = (after?.token ?? null) as Token | null; ; start = 0) {
      const { items, next } = checkPage<Item, Token>(await this.#fetch(token), token);
      const isLast = until !== null && isSameJson(token, until.token);
      yield pageOf(items.slice(start, isLast ? until.index + 1 : undefined), { token, start });
      if (next === null || isLast) return;
      if (isSameJson(next, token) || cycles.isRepeated(next)) {
        throw new InvalidEnumeratorError(
          `pages: the token ${describe(next)} came again, so the pages would never end. ` +
            'Does fetch use its token? The last page must have next: null',
        );
      }
      token = next;
    }
  }

  #fetch(token: Token | null): Promise<unknown> {
    return called('fetch of pages', () => this.fetch(token));
  }
}

function pageOf<Item>(items: readonly Item[], { token, start }: { token: Json; start: number }): Page<Item> {
  return { items, cursorAt: (index) => ({ token, index: start + index }), positional: true };
}

function checkPage<Item, Token extends Json>(page: unknown, token: Json) {
  const { items, next } = (page ?? {}) as { items?: readonly Item[]; next?: Token | null };
  if (!Array.isArray(items) || next === undefined) {
    throw new InvalidEnumeratorError(
      `pages: fetch(${describe(token)}) returned ${Array.isArray(items) ? 'no next' : 'no array of items'}; ` +
        'it must return { items, next }, and next: null at the end',
    );
  }
  if (next !== null) checkToken(next, token);
  return { items: items as readonly Item[], next };
}

/** @throws InvalidCursorError for a token that JSON would change, before a run resumes from it. */
function checkToken(next: Json, token: Json): void {
  if (!isToken(next)) {
    throw new InvalidEnumeratorError(
      `pages: fetch(${describe(token)}) returned next: ${describe(next)}, which is not a token. A token is a text that is not ` +
        'blank, a number above 0, or an object or array that is not empty. Return null at the end',
    );
  }
  checkJson(next, 'next');
}

function isToken(next: Json): boolean {
  if (typeof next === 'string') return next.trim() !== '';
  if (typeof next === 'number') return next > 0;
  return typeof next === 'object' && next !== null && isFilled(next);
}

/** An object that is not plain is refused later, when it is checked as JSON. */
function isFilled(next: object): boolean {
  const isJson = Array.isArray(next) || isPlain(next);
  return !isJson || Object.keys(next).length > 0;
}

function checkCursor(cursor: Cursor): PagesCursor | null {
  if (cursor === null) return null;
  const { token, index } = cursor as Partial<PagesCursor>;
  if (token !== undefined && Number.isInteger(index) && (index as number) >= -1) return cursor as PagesCursor;
  throw new InvalidCursorError(
    `The cursor ${describe(cursor)} is not a cursor of pages, which is an object with token and index, or null`,
    'cursor',
  );
}
