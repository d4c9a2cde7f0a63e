import type { Cursor } from '../cursor.js';
import { describe } from '../describe.js';
import { InvalidOptionsError } from '../iteration.errors.js';
import { aFunction, check, count, countOrNone } from '../rules.js';
import { type BuildAt, type Position, ResumeCheck, type ResumeOptions } from './resume.check.js';

/** Items that are read in all, before fewer than the whole rest are read at each position. */
const MOST_READ = 2_000;

/**
 * Proves that an enumerator loses and repeats nothing: builds it, stops it and resumes it after every position, each cursor
 * having been through JSON as in a checkpoint.
 *
 * At each position the whole rest is read, of a source with more than about 40 items a part of it: at least two items.
 *
 * @param build As `@BuildEnumerator`: returns what starts after the cursor, or at the beginning for `null`.
 * @returns the items in order, and after how many positions it was resumed.
 * @throws ResumeError that says at which position, after which cursor, what was expected and what was found
 */
export async function resumeAtEveryPosition<Item, C extends Cursor>(
  build: BuildAt<Item, C>,
  options: ResumeOptions<Item> = {},
): Promise<{ items: Item[]; positions: number }> {
  checkOptions('resumeAtEveryPosition', options);
  const resumed = new ResumeCheck(build, options);
  await resumed.readWhole();
  const { length } = resumed.whole;
  const most = Math.max(2, Math.floor(MOST_READ / (length + 1)));
  let at: Position<C> | undefined = { position: 0, cursor: null };
  while (at) [at] = await resumed.resume(at, most);
  return { items: itemsOf(resumed), positions: length };
}

/**
 * As {@link resumeAtEveryPosition}, but stops only after the given numbers of items: for a property of random runs.
 *
 * @param itemsOfRuns How many items each run finishes before its interruption. A last run goes to the end.
 * @throws ResumeError
 */
export async function resumeAtPositions<Item, C extends Cursor>(
  build: BuildAt<Item, C>,
  itemsOfRuns: readonly number[],
  options: ResumeOptions<Item> = {},
): Promise<{ items: Item[] }> {
  checkOptions('resumeAtPositions', options);
  const wrong = itemsOfRuns.find((items) => countOrNone(items, '') !== true);
  if (wrong !== undefined)
    throw new InvalidOptionsError(
      `resumeAtPositions: a run of ${describe(wrong)} items. Give whole numbers, 0 or more`,
    );
  const resumed = new ResumeCheck(build, options);
  await resumed.readWhole();
  let at: Position<C> = { position: 0, cursor: null };
  for (const items of itemsOfRuns) at = (await resumed.resume(at, items)).at(-1) ?? at;
  await resumed.resume(at, resumed.whole.length + 1);
  return { items: itemsOf(resumed) };
}

function itemsOf<Item, C extends Cursor>({ whole }: ResumeCheck<Item, C>): Item[] {
  return whole.map(([item]) => item);
}

function checkOptions(where: string, options: object): void {
  check(where, options, { identify: aFunction, maxItems: count });
}
