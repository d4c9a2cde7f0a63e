import { type Cursor, isSameJson } from '../../cursor.js';
import { describe } from '../../describe.js';
import { InvalidEnumeratorError, InvalidOptionsError } from '../../iteration.errors.js';
import {
  type At,
  type Bounds,
  type Built,
  called,
  checkOptions,
  type Enumerator,
  isEnumeratorLike,
  type PageReader,
  type Source,
  SourceEnumerator,
  sourceOf,
} from '../contract/index.js';
import { nestedCursor } from './cursor.js';
import { NestedReader } from './reader.js';

/** One level of `nested`: returns what to iterate over within the outer items, which come outermost first. */
export type Level<Outer extends unknown[], Item> = (...args: [...outer: Outer, at: At]) => Built<Item>;

/** A level of any items. */
export type AnyLevel = (...args: never[]) => Built<unknown>;

/**
 * The items of the innermost level, outer item by outer item. The cursor holds the cursor of every level, each bound to its
 * outer item (R9).
 */
export function nestedEnumerator<Item>(levels: readonly AnyLevel[], options: At): Enumerator<Item> {
  checkOptions(options, ['cursor'], 'nested');
  if (!Array.isArray(levels) || levels.length < 2 || levels.some((level) => typeof level !== 'function')) {
    throw new InvalidOptionsError(
      'nested: give it an array of two levels or more, each a function of the outer items and its own { cursor }: ' +
        '[({ cursor }) => shops, (shop, { cursor }) => products]',
    );
  }
  nestedCursor(options.cursor);
  return new SourceEnumerator(new NestedSource<Item>(levels, []), options.cursor);
}

class NestedSource<Item> implements Source<Item> {
  /** The enumerator that can halve an item. */
  readonly #makers = new WeakMap<object, SourceEnumerator<Item>>();

  constructor(
    /** The first one is the outer level of this source. */
    private readonly levels: readonly AnyLevel[],
    /** The items around this source, outermost first. */
    private readonly around: readonly unknown[],
  ) {}

  read({ after, until }: Bounds): PageReader<Item> {
    return new NestedReader<Item>({
      outer: (cursor) => this.#open([...this.around, { cursor }]),
      inner: (item, cursor) => this.#inner(item, cursor),
      after: nestedCursor(after),
      until: nestedCursor(until),
      onHalvable: (item, enumerator) => {
        if (typeof item === 'object' && item !== null) this.#makers.set(item, enumerator);
      },
    });
  }

  async halve(item: Item, before: Cursor, cursor: Cursor): ReturnType<NonNullable<Enumerator<Item>['halve']>> {
    const [start, end] = [nestedCursor(before), nestedCursor(cursor)];
    const maker = end && this.#makers.get(item as object);
    if (!maker) return undefined;
    const { outer, inner } = end;
    const begun = start && isSameJson(start.outer.at, outer.at) ? start.inner : { at: null, finished: 0 };
    const halves = await maker.halve?.(item, begun.at, inner.at);
    if (!halves) return undefined;
    const [[first, middle], [second, last]] = halves;
    for (const half of [first, second]) this.#makers.set(half as object, maker);
    return [
      [first, { outer, inner: { at: middle, finished: begun.finished } }],
      [second, { outer, inner: { at: last, finished: inner.finished } }],
    ];
  }

  /** The enumerator of an outer level. */
  async #open(args: readonly unknown[]): Promise<SourceEnumerator<unknown> | undefined> {
    return open(this.levels[0], args, this.around.length + 1);
  }

  async #inner(item: unknown, cursor: Cursor): Promise<SourceEnumerator<Item> | undefined> {
    const [, ...levels] = this.levels;
    const around = [...this.around, item];
    if (levels.length > 1) return new SourceEnumerator(new NestedSource<Item>(levels, around), cursor);
    return (await open(levels[0], [...around, { cursor }], around.length + 1)) as SourceEnumerator<Item> | undefined;
  }
}

/** What a level returns; undefined for nothing to do. */
async function open(
  level: AnyLevel | undefined,
  args: readonly unknown[],
  number: number,
): Promise<SourceEnumerator<unknown> | undefined> {
  const built: unknown = await called(`Level ${number} of nested`, () => level?.(...(args as readonly never[])));
  if (built === null) return undefined;
  if (isEnumeratorLike(built)) return sourceOf(built);
  throw new InvalidEnumeratorError(
    `nested: level ${number} returned ${describe(built)}; it must return an enumerator, an iterable of [item, cursor], or ` +
      'null for nothing to do. Was the "return" forgotten?',
  );
}
