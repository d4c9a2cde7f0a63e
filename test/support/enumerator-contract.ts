import { expect, it } from 'vitest';
import { type Cursor, checkJson } from '../../lib/cursor.js';
import { type At, type Enumerator, isThrottled, sourceOf } from '../../lib/enumerators/contract/index.js';
import { type BuildContext, BuildEnumerator, EachIteration, IterativeProcessor } from '../../lib/index.js';
import { iterate, resumeAtEveryPosition } from '../../lib/testing/index.js';

export interface ContractCase<Item> {
  /** Builds the enumerator for a run, as a processor does. */
  build(at: At): Enumerator<Item> | Promise<Enumerator<Item>>;
  /** Identifies an item; by default by the item itself. */
  identify?(item: Item): unknown;
  /** Identifies the records of an item that can be halved; by default the item is one record. */
  records?(item: Item): readonly unknown[] | Promise<readonly unknown[]>;
  /** Whether the source knows its number of items. */
  size: 'exact' | 'none';
  /** The source has no item. */
  isEmpty?: boolean;
  /** The identities of all items, in order. */
  expected: readonly unknown[] | (() => readonly unknown[] | Promise<readonly unknown[]>);
  /** Number of evenly spaced positions that are tried as start and end. */
  stretches?: number;
}

/** Declares the tests that every source must pass. Call it once for each way to build a source. */
export function itKeepsTheEnumeratorContract<Item>(name: string, contract: ContractCase<Item>): void {
  const { identify = (item: Item) => item, stretches = 12 } = contract;
  const { records = (item: Item) => [identify(item)] } = contract;
  const expectedItems = async () => (typeof contract.expected === 'function' ? contract.expected() : contract.expected);
  const from = async (cursor: Cursor) => contract.build({ cursor: throughJson(cursor) });

  it(`${name}: returns every item once, in order`, async () => {
    const expected = await expectedItems();
    expect(expected.length === 0).toBe(contract.isEmpty === true);
    expect((await all(await from(null))).map(([item]) => identify(item))).toEqual(expected);
  });

  it(`R1: ${name}: resumes exactly after every position`, async () => {
    const expected = await expectedItems();
    const { items } = await resumeAtEveryPosition(from, { identify, maxItems: expected.length + 1 });
    expect(items.map(identify)).toEqual(expected);
  });

  it(`R1: ${name}: a job that is interrupted many times handles every item once`, async () => {
    @IterativeProcessor('contract')
    class Contract {
      @BuildEnumerator() build({ cursor }: BuildContext) {
        return contract.build({ cursor });
      }
      @EachIteration() each(_: unknown) {}
    }
    const interruptAfter = Math.ceil((await expectedItems()).length / 20) || 1;
    const { error, items, state } = await iterate(new Contract(), { interruptAfter });
    expect({ error, items: items.map((item) => identify(item as Item)), state }).toEqual({
      error: undefined,
      items: await expectedItems(),
      state: 'completed',
    });
  });

  it(`R8: ${name}: has unique cursors that are exact in JSON`, async () => {
    const cursors = (await all(await from(null))).map(([, cursor]) => cursor);
    for (const cursor of cursors) checkJson(cursor);
    expect(new Set(cursors.map((cursor) => JSON.stringify(cursor))).size).toBe(cursors.length);
  });

  it(`${name}: starts after any cursor and ends at any cursor`, async () => {
    const items = await all(await from(null));
    const positions = evenly(items.length, stretches);
    for (const start of positions) {
      const after = start === 0 ? null : (items[start - 1] as readonly [Item, Cursor])[1];
      expect((await all(await from(after))).map(([item]) => identify(item))).toEqual(
        items.slice(start).map(([item]) => identify(item)),
      );
      for (const end of positions.filter((position) => position >= start && position < items.length)) {
        const until = throughJson((items[end] as readonly [Item, Cursor])[1]);
        expect((await drained(await from(after), until)).map(identify)).toEqual(
          items.slice(start, end + 1).map(([item]) => identify(item)),
        );
      }
    }
  });

  it(`${name}: has ${contract.size === 'exact' ? 'its whole size' : 'no size'} at any start`, async () => {
    const items = await all(await from(null));
    const middle = items[Math.floor(items.length / 2)];
    const size = contract.size === 'exact' ? (await expectedItems()).length : undefined;
    for (const cursor of [null, middle ? middle[1] : null]) expect(await (await from(cursor)).size?.()).toBe(size);
  });

  it(`R24: ${name}: halves to single records, cursors exact`, async () => {
    const enumerator = await from(null);
    const halveAll = async (item: Item, before: Cursor, cursor: Cursor): Promise<void> => {
      const names = await records(item);
      const halves = await enumerator.halve?.(item, before, cursor);
      if (!halves) return expect(names.length).toBeLessThanOrEqual(1);
      const [[one, middle], [other, end]] = halves;
      expect(end).toEqual(cursor);
      checkJson(middle);
      expect([...(await records(one)), ...(await records(other))]).toEqual(names);
      const next = await first(await from(middle));
      expect(next && (await records(next[0]))[0]).toEqual((await records(other))[0]);
      await halveAll(one, before, middle);
      await halveAll(other, middle, end);
    };
    let before: Cursor = null;
    for (const [item, cursor] of (await all(enumerator)).slice(0, stretches)) {
      await halveAll(item, before, cursor);
      before = cursor;
    }
  });

  it(`${name}: has no item after its last cursor`, async () => {
    const last = (await all(await from(null))).at(-1);
    if (last) expect(await all(await from(last[1]))).toEqual([]);
  });
}

function throughJson(cursor: Cursor): Cursor {
  return JSON.parse(JSON.stringify(cursor)) as Cursor;
}

async function all<Item>(enumerator: Enumerator<Item>): Promise<(readonly [Item, Cursor])[]> {
  const items: (readonly [Item, Cursor])[] = [];
  for await (const pair of enumerator) items.push(pair);
  return items;
}

async function first<Item>(enumerator: Enumerator<Item>): Promise<readonly [Item, Cursor] | undefined> {
  for await (const pair of enumerator) return pair;
  return undefined;
}

/** All items up to and including `until`, read as a run does, without its pauses. */
async function drained<Item>(enumerator: Enumerator<Item>, until: Cursor): Promise<Item[]> {
  const items: Item[] = [];
  const reader = sourceOf(enumerator).read({ until });
  try {
    for (let next = await reader.next(); next; next = await reader.next()) {
      if (isThrottled(next)) continue;
      if (next.items.length === 0) checkJson(next.cursorAt(-1));
      items.push(...next.items);
    }
  } finally {
    await reader.close();
  }
  return items;
}

function evenly(length: number, count: number): number[] {
  const step = Math.max(1, Math.floor(length / count));
  return Array.from({ length: Math.ceil(length / step) }, (_, index) => index * step);
}
