import type { Cursor, Json } from '../../cursor.js';
import { describe } from '../../describe.js';
import { InvalidCursorError, InvalidOptionsError, IterationError } from '../../iteration.errors.js';
import { batchesOf } from './batches.js';
import type { At } from './enumerator.js';
import type { Bounds, PageReader, Part, Source } from './source.js';
import { SourceEnumerator } from './source-enumerator.js';

/** What an enumerator reads. */
export interface PartOptions extends At {
  /** One of the ranges that `partitions` or `slices` returned: only its items are read. Default: the whole source. */
  range?: Json;
}

/** The method that reads a source, and its cursors. */
export interface Reads<C extends Cursor> {
  /** For error messages: `typeorm.records`. */
  readonly name: string;
  /** Returns the cursor. @throws InvalidCursorError for a cursor of another source. */
  cursor(value: Cursor): C | null;
}

/**
 * The enumerator of a source, or of one part of it.
 *
 * @throws InvalidCursorError for a cursor of another source.
 * @throws InvalidOptionsError for a range that is not a part of this source.
 */
export function enumeratorOf<Item, C extends Cursor>(
  source: Source<Item, C>,
  options: PartOptions,
  reads: Reads<C>,
): SourceEnumerator<Item, C> {
  return new SourceEnumerator(partSource(source, options, reads), reads.cursor(options.cursor));
}

/** As {@link enumeratorOf}, for a source that is read in batches. */
export function batchEnumeratorOf<Item, C extends Cursor>(
  source: Source<Item, C>,
  options: PartOptions & { readonly batchSize: number },
  reads: Reads<C>,
): SourceEnumerator<Item[], C> {
  const batches = batchesOf(partSource(source, options, reads), options.batchSize);
  return new SourceEnumerator(batches, reads.cursor(options.cursor));
}

function partSource<Item, C extends Cursor>(source: Source<Item, C>, { range }: PartOptions, reads: Reads<C>) {
  return range === undefined ? source : new PartSource(source, partOf(range, reads), reads.name);
}

/** The cursors among the options, before they are checked. */
export function givenCursors({ cursor, range }: PartOptions): readonly Cursor[] {
  const { after = null, until = null } = (range ?? {}) as Partial<Part>;
  return [cursor, after, until];
}

function partOf<C extends Cursor>(range: Json, { name, cursor }: Reads<C>): Part<C> {
  const { after, until, ...others } = (range ?? {}) as Partial<Part>;
  if (after === undefined || until === undefined || Object.keys(others).length > 0) throw notAPart(name, range);
  try {
    return { after: cursor(after), until: cursor(until) };
  } catch (error) {
    if (error instanceof IterationError) throw notAPart(name, range, error);
    throw error;
  }
}

function notAPart(name: string, range: Json, cause?: Error): InvalidOptionsError {
  return new InvalidOptionsError(
    `${name}: the range ${describe(range)} is not a part of this source: { after, until }, each a cursor or null. ` +
      `Pass on what partitions or slices returned, for the same source and key${cause ? `. ${cause.message}` : ''}`,
    { cause },
  );
}

/** The items of one part of a source. Its cursors are the source's. */
class PartSource<Item, C extends Cursor> implements Source<Item, C> {
  readonly size?: Source<Item, C>['size'];
  readonly count?: Source<Item, C>['count'];
  readonly fraction?: Source<Item, C>['fraction'];
  readonly halve?: Source<Item, C>['halve'];

  constructor(
    private readonly source: Source<Item, C>,
    private readonly part: Part<C>,
    private readonly name: string,
  ) {
    if (source.partSize || source.count) this.size = (options) => this.#size(options);
    if (source.count) this.count = (cursor) => this.#countTo(cursor);
    if (source.fraction) this.fraction = (cursor) => this.#fraction(cursor);
    const { halve } = source;
    // Without the part's own start, the first half of its first batch would begin at the beginning of the source.
    if (halve) this.halve = (item, before, cursor) => halve.call(source, item, before ?? part.after, cursor);
  }

  read({ after, until, ...bounds }: Bounds<C>): PageReader<Item, C> {
    const { part, source } = this;
    const reader = source.read({ ...bounds, after: after ?? part.after, until: until ?? part.until });
    if (after === null) return reader;
    if (source.compare) {
      for (const end of ['after', 'until'] as const) if (this.#isBeyond(end, after)) throw this.#outside(after);
      return reader;
    }
    let checking: Promise<void> | undefined;
    let isChecked = false;
    return {
      ...reader,
      next: () => {
        if (isChecked) return reader.next();
        checking ??= this.#check(after).then(() => {
          isChecked = true;
        });
        return checking.then(() => reader.next());
      },
    };
  }

  #isBeyond(end: 'after' | 'until', cursor: C): boolean {
    const border = this.part[end];
    if (border === null) return false;
    const step = this.source.compare?.(cursor, border) ?? 0;
    return end === 'after' ? step < 0 : step > 0;
  }

  /** Only the database can compare its keys. So the items between the cursor and the part show that it is outside. */
  async #check(cursor: C): Promise<void> {
    const { after, until } = this.part;
    if (after !== null && (await this.#hasItem({ after: cursor, until: after }))) throw this.#outside(cursor);
    if (until !== null && (await this.#hasItem({ after: until, until: cursor }))) throw this.#outside(cursor);
  }

  async #hasItem(bounds: Part<C>): Promise<boolean> {
    if (JSON.stringify(bounds.after) === JSON.stringify(bounds.until)) return false;
    const reader = this.source.read({ ...bounds, batchSize: () => 1 });
    try {
      return (await reader.next()) !== undefined;
    } finally {
      await reader.close();
    }
  }

  #outside(cursor: C): InvalidCursorError {
    const { after, until } = this.part;
    return new InvalidCursorError(
      `${this.name}: the cursor ${describe(cursor)} is outside of the range, which is after ${describe(after)}, up to ` +
        `${describe(until)}. Was it saved for another part? Then raise the processor's "version"`,
      'cursor',
    );
  }

  async #size(options?: { readonly exact: boolean }): Promise<number | undefined> {
    const { source, part } = this;
    if (source.partSize) return source.partSize(part, options);
    return this.#less(part.until === null ? await source.size?.(options) : await source.count?.(part.until));
  }

  async #countTo(cursor: C): Promise<number | undefined> {
    return this.#less(await this.source.count?.(cursor));
  }

  /** The items of the part among the first `items` of the source. */
  async #less(items: number | undefined): Promise<number | undefined> {
    const { after } = this.part;
    const before = after === null ? 0 : await this.source.count?.(after);
    return items === undefined || before === undefined ? undefined : Math.max(0, items - before);
  }

  #fraction(cursor: C): number | undefined {
    const at = (end: C | null, open: number) => (end === null ? open : this.source.fraction?.(end));
    const [start, end, reached] = [at(this.part.after, 0), at(this.part.until, 1), this.source.fraction?.(cursor)];
    if (start === undefined || end === undefined || reached === undefined) return undefined;
    return end > start ? Math.min(1, Math.max(0, (reached - start) / (end - start))) : 1;
  }
}
