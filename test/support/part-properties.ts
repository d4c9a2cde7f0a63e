import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Cursor, Json } from '../../lib/cursor.js';
import type { Enumerator, Part, PartOptions } from '../../lib/enumerators/contract/index.js';
import { CASES } from './cases.js';

/** Number of random cases per property; the seed reproduces a failure. */
const SEED = Number(process.env.PROPERTY_SEED ?? 20_261_129);

/** A source that was cut, and perhaps changed afterwards. */
export interface CutSource<Item> {
  readonly ranges: readonly Json[];
  /** The number of parts that there must be; not given: any. */
  readonly fewest?: number;
  /** The most items that a part had when it was cut; not given: any. */
  readonly most?: number;
  build(at: PartOptions): Enumerator<Item>;
  /** The identities of all items that are there when the parts are read, in order. */
  expected(): readonly unknown[];
  records?(item: Item): readonly unknown[] | Promise<readonly unknown[]>;
  /** Called between two parts: changes the source. Items that were there throughout must come exactly once. */
  change?(part: number): Promise<void>;
  /** The items that were not there throughout: each may come at most once. */
  passing?(): ReadonlySet<unknown>;
  /** How many items a run of part finishes before it is interrupted. */
  readonly stop?: number;
}

/**
 * R27 over random cases: the parts, read one after the other and interrupted again and again, give each item that is there
 * throughout exactly once and in order, and any other item at most once.
 */
export function itCoversEveryItem<Item, Case>(
  name: string,
  { cases, begin }: { cases: fc.Arbitrary<Case>; begin(generated: Case): Promise<CutSource<Item>> },
): void {
  it(`R27: ${name}: parts cover every item exactly once in ${CASES} random cases`, { timeout: 600_000 }, async () => {
    const property = fc.asyncProperty(cases, async (generated) => checkParts(await begin(generated)));
    await fc.assert(property, { numRuns: CASES, seed: SEED, endOnFailure: false });
  });
}

async function checkParts<Item>(cut: CutSource<Item>): Promise<void> {
  if (cut.fewest !== undefined) expect(cut.ranges).toHaveLength(cut.fewest);
  const read: unknown[] = [];
  for (const [index, range] of cut.ranges.entries()) {
    const part = await readInRuns(cut, range);
    if (cut.most !== undefined) expect(part.length).toBeLessThanOrEqual(cut.most);
    read.push(...part);
    await cut.change?.(index);
  }
  const passing = cut.passing?.() ?? new Set();
  expect(new Set(read).size).toBe(read.length);
  expect(read.filter((item) => !passing.has(item))).toEqual(cut.expected().filter((item) => !passing.has(item)));
}

/** Interrupted after every `stop` items. Each run resumes at the cursor of the one before. */
async function readInRuns<Item>({ build, stop = 3, records = (item) => [item] }: CutSource<Item>, range: Json) {
  const taken: unknown[] = [];
  let cursor: Cursor = null;
  for (let isOpen = true; isOpen; ) {
    let items = 0;
    isOpen = false;
    for await (const [item, at] of build({ cursor, range })) {
      taken.push(...(await records(item)));
      cursor = JSON.parse(JSON.stringify(at)) as Cursor;
      isOpen = ++items >= stop;
      if (isOpen) break;
    }
  }
  return taken;
}

/** Ranges as a job's data gives them back. */
export function partsOf(ranges: readonly unknown[]): readonly Part[] {
  return JSON.parse(JSON.stringify(ranges)) as Part[];
}

/** The items of an enumerator. */
export async function allOf<Item>(enumerator: Enumerator<Item>): Promise<Item[]> {
  const items: Item[] = [];
  for await (const [item] of enumerator) items.push(item);
  return items;
}
