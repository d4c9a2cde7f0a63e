import { type Cursor, checkJson, isSameJson, type Json } from '../cursor.js';
import { InvalidCursorError, InvalidEnumeratorError, InvalidOptionsError } from '../iteration.errors.js';
import {
  type At,
  type Bounds,
  called,
  checkOptions,
  type Enumerator,
  type Page,
  type PageReader,
  Rounds,
  readPages,
  type Source,
  SourceEnumerator,
} from './contract/index.js';

export interface PagesOptions<Item, Token extends Json> extends At {
  /**
   * A page by its token, the first one by `null`; `next` is the token of the page after it, `null` at the end. A token is a
   * text that is not blank, a number above 0, or an object or array that is not empty: an offset of 0, `''` and `false` would
   * ask for the first page again.
   */
  fetch: (token: Token | null) => Promise<{ items: readonly Item[]; next: Token | null }>;
}

/** The page, and the item's index in it; -1: the page is reached, and none of its items finished. */
type PagesCursor = { readonly token: Json; readonly index: number };

/** The items of an API's pages. A resumed run asks for the cursor's page again, and leaves out what is finished. */
export function pagesEnumerator<Item, Token extends Json>(options: PagesOptions<Item, Token>): Enumerator<Item> {
  checkOptions(options, ['cursor', 'fetch'], 'pages');
  const { cursor, fetch } = options;
  if (typeof fetch !== 'function') {
    throw new InvalidOptionsError('pages: fetch is not a function. Give it one: (token) => Promise<{ items, next }>');
  }
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
    const rounds = new Rounds();
    for (let token = (after?.token ?? null) as Token | null; ; start = 0) {
      const { items, next } = checkPage<Item, Token>(await this.#fetch(token), token);
      const isLast = until !== null && isSameJson(token, until.token);
      yield pageOf(items.slice(start, isLast ? until.index + 1 : undefined), { token, start });
      if (next === null || isLast) return;
      if (isSameJson(next, token) || rounds.comesAgain(next)) {
        throw new InvalidEnumeratorError(
          `pages: the token ${JSON.stringify(next)} came again, so the pages would never end. ` +
            'Does fetch pass its token on? The last page has next: null',
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
      `pages: fetch(${JSON.stringify(token)}) gave ${Array.isArray(items) ? 'no next' : 'no array of items'}; ` +
        'it must give { items, next }, and next: null at the end',
    );
  }
  if (next !== null) checkToken(next, token);
  return { items: items as readonly Item[], next };
}

/** @throws InvalidCursorError for a token that JSON would change, before a run is resumed by it. */
function checkToken(next: Json, token: Json): void {
  if (!isToken(next)) {
    throw new InvalidEnumeratorError(
      `pages: fetch(${JSON.stringify(token)}) gave next: ${show(next)}, which is not a token: a text that is not blank, a ` +
        'number above 0, or an object or array that is not empty. Give null at the end',
    );
  }
  checkJson(next, 'next');
}

function isToken(next: Json): boolean {
  if (typeof next === 'string') return next.trim() !== '';
  if (typeof next === 'number') return next > 0;
  return typeof next === 'object' && next !== null && isFilled(next);
}

/** JSON knows which objects are plain, and refuses the others by name. */
function isFilled(next: object): boolean {
  const isPlain = Array.isArray(next) || Object.getPrototypeOf(next) === Object.prototype;
  return !isPlain || Object.keys(next).length > 0;
}

function show(next: Json): string {
  return typeof next === 'string' ? `'${next}'` : typeof next === 'object' ? JSON.stringify(next) : String(next);
}

function checkCursor(cursor: Cursor): PagesCursor | null {
  if (cursor === null) return null;
  const { token, index } = cursor as Partial<PagesCursor>;
  if (token !== undefined && Number.isInteger(index) && (index as number) >= -1) return cursor as PagesCursor;
  throw new InvalidCursorError(
    `The cursor ${JSON.stringify(cursor)} is not one of pages: an object of token and index, or null`,
    'cursor',
  );
}
