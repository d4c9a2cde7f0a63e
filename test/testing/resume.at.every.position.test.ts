import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EnumeratorBuilder } from '../../lib/enumerators/enumerator.builder.js';
import type { Cursor, EnumeratorLike } from '../../lib/index.js';
import { ResumeError, type ResumeProblem, resumeAtEveryPosition, resumeAtPositions } from '../../lib/testing/index.js';

type Pairs = EnumeratorLike<unknown>;
type Build = (cursor: Cursor) => Pairs;

const NAMES = ['ann', 'bob', 'cid', 'dan'];

/** Each name with its index as the cursor. */
function names(cursor: Cursor): (readonly [string, number])[] {
  return NAMES.map((name, index) => [name, index] as const).slice(
    (cursor as number | null) === null ? 0 : (cursor as number) + 1,
  );
}

async function problemOf(build: Build, options = {}): Promise<ResumeError> {
  const error: unknown = await resumeAtEveryPosition(build, options).catch((thrown) => thrown);
  expect(error).toBeInstanceOf(ResumeError);
  return error as ResumeError;
}

let calls = 0;
let builds = 0;
const shared = NAMES.map((name, index) => [name, index] as const)[Symbol.iterator]();

/** Wrong enumerators: each with its problem, and with all of the message. */
const WRONG: readonly (readonly [string, (cursor: Cursor) => unknown, ResumeProblem, string])[] = [
  [
    'that skips an item on resume',
    (cursor) => (cursor === null ? names(null) : names(cursor).slice(1)),
    'skips',
    'Built after position 1 (cursor 0): expected item 2, "bob", found "cid", which is item 3: the expected item is lost',
  ],
  [
    'that ends too early on resume',
    (cursor) => (cursor === 1 ? [] : names(cursor)),
    'skips',
    'Built after position 2 (cursor 1): it ends at once: expected "cid"',
  ],
  [
    'that is the same iterator at each build',
    () => shared,
    'skips',
    'Built from the beginning: it ends at once: expected "ann"',
  ],
  [
    'that repeats an item, by >= instead of >',
    (cursor) => (cursor === null ? names(null) : names((cursor as number) - 1)),
    'repeats',
    'Built after position 1 (cursor 0): expected item 2, "bob", found "ann", which is item 1 and was finished before',
  ],
  [
    'that ignores its cursor',
    () => names(null),
    'repeats',
    'Built after position 1 (cursor 0): expected item 2, "bob", found "ann", which is item 1 and was finished before',
  ],
  [
    'whose cursors count from the place where it was built',
    (cursor) => names(cursor).map(([name], index) => [name, index]),
    'repeats',
    'Built after position 2 (cursor 0): expected item 3, "cid", found "bob", which is item 2 and was finished before',
  ],
  [
    'with a Date as cursor',
    () => [['ann', new Date(0)]],
    'cursor',
    'Built from the beginning: item 1 ("ann") has a cursor that cannot be saved: cursor is a Date, which JSON does not give back as it was. Use its ISO string, or the text of the database for microseconds',
  ],
  [
    'with a cursor that is too large',
    () => [['ann', 'x'.repeat(20_000)]],
    'cursor',
    'Built from the beginning: item 1 ("ann") has a cursor that cannot be saved: The cursor is 20002 bytes of JSON; at most 16384 can be saved. Keep only what names the position',
  ],
  [
    'with a null cursor',
    (cursor) => (cursor === null ? [...names(null).slice(0, 1), ['bob', null]] : names(cursor)),
    'no cursor',
    'Built from the beginning: item 2 ("bob") has the cursor null, which means the beginning: each run would start there again. Yield [item, cursor]',
  ],
  [
    'with an undefined cursor',
    () => [['ann', undefined]],
    'no cursor',
    'Built from the beginning: item 1 ("ann") has the cursor undefined, which means the beginning: each run would start there again. Yield [item, cursor]',
  ],
  [
    'with the same cursor for two items',
    () => [
      ['ann', 7],
      ['bob', 8],
      ['cid', 7],
    ],
    'same cursor',
    'Built from the beginning: item 1 ("ann") and item 3 ("cid") have the same cursor 7, so one of them is lost on resume',
  ],
  [
    'in another order on resume',
    (cursor) => (cursor === 0 ? [...names(0)].reverse() : names(cursor)),
    'order',
    'Built after position 1 (cursor 0): expected item 2, "bob", found "dan", which is item 4: the items come in another order than from the beginning',
  ],
  [
    'in no order',
    () => (calls++ % 2 === 0 ? names(null) : [...names(null)].reverse()),
    'order',
    'Built from the beginning: expected item 1, "ann", found "dan", which is item 4: the items come in another order than from the beginning',
  ],
  [
    'with an item that was not there',
    (cursor) => (cursor === 2 ? [['eve', 9]] : names(cursor)),
    'unknown item',
    'Built after position 3 (cursor 2): expected item 4, "dan", found "eve", which was not there from the beginning',
  ],
  [
    'that starts over at its end',
    (cursor) => (cursor === 3 ? names(null) : names(cursor)),
    'after the end',
    'Built after position 4 (cursor 3): expected the end, found "ann", which is item 1',
  ],
  [
    'whose cursors change from build to build',
    (cursor) => {
      const build = ++builds;
      return names((cursor as { at: number } | null)?.at ?? null).map(([name, at]) => [name, { at, build }]);
    },
    'unstable cursor',
    'Built from the beginning: built twice, item 1 ("ann") had the cursors {"at":0,"build":2} and {"at":0,"build":3}',
  ],
  [
    'that yields no pairs',
    () => NAMES,
    'no enumerator',
    'Built from the beginning: it yielded "ann", and must yield [item, cursor]',
  ],
  [
    'that is not returned',
    () => undefined,
    'no enumerator',
    'Built from the beginning: build returned undefined. Was the "return" forgotten?',
  ],
];

describe('resumeAtEveryPosition', () => {
  it.each(WRONG)('R1: finds an enumerator %s', async (_, build, problem, message) => {
    const error = await problemOf(build as Build);
    expect([error.problem, error.message]).toEqual([problem, message]);
  });

  it('finds an endless enumerator', async () => {
    function* endless(cursor: Cursor) {
      for (let number = ((cursor as number | null) ?? 0) + 1; ; number++) yield [number, number] as const;
    }
    expect(await problemOf(endless)).toMatchObject({
      problem: 'endless',
      message:
        'Built from the beginning: it has given 1001 items, and option "maxItems" is 1000. Raise it, or let the test\'s source be smaller',
    });
    expect((await problemOf(endless, { maxItems: 5 })).message).toMatch(/has given 6 items/);
  });

  it('finds an item that is lost only far after the position', async () => {
    const error = await problemOf((cursor) => names(cursor).filter(([name]) => cursor !== 0 || name !== 'dan'));
    expect(error).toMatchObject({ problem: 'skips', position: 1, cursor: 0 });
    expect(error.message).toBe('Built after position 1 (cursor 0): it ends after 2 items: expected "dan"');
  });

  it('returns the items of a right one, and after how many positions it was resumed', async () => {
    const closed: unknown[] = [];
    function* right(cursor: Cursor) {
      try {
        yield* names(cursor);
      } finally {
        closed.push(cursor);
      }
    }
    expect(await resumeAtEveryPosition(right)).toEqual({ items: NAMES, positions: 4 });
    expect(closed).toEqual([null, null, 0, 1, 2, 3]);
    expect(await resumeAtEveryPosition(() => [])).toEqual({ items: [], positions: 0 });
  });

  it('takes items of a class by what identifies them', async () => {
    class User {
      readonly loadedAt = calls++;
      constructor(readonly id: number) {}
    }
    const users = (cursor: Cursor) => names(cursor).map(([, index]) => [new User(index), index] as const);
    expect((await problemOf(users)).problem).toBe('unknown item');
    const { items } = await resumeAtEveryPosition(users, { identify: ({ id }) => id });
    expect(items.map(({ id }) => id)).toEqual([0, 1, 2, 3]);
  });

  it('accepts cursors that depend on where the run began, if it resumes exactly', async () => {
    const build = (cursor: Cursor) => {
      const { at } = (cursor as { at: number } | null) ?? { at: null };
      return names(at).map(([name, index]) => [name, { at: index, from: at }] as const);
    };
    expect((await resumeAtEveryPosition(build)).items).toEqual(NAMES);
  });

  it.each(['keyset', 'pages', 'csv', 'nested'])('R1: proves our own source %s', async (source) => {
    const enumerators = new EnumeratorBuilder();
    const builds: Record<string, (cursor: Cursor) => EnumeratorLike<unknown>> = {
      keyset: (cursor) =>
        enumerators.keyset({
          cursor,
          pageSize: 3,
          fetch: async (after: number | null, limit) =>
            Array.from({ length: 10 }, (_, id) => ({ id }))
              .filter(({ id }) => after === null || id > after)
              .slice(0, limit),
          key: ({ id }) => id,
        }),
      pages: (cursor) =>
        enumerators.pages({
          cursor,
          fetch: async (token: number | null) => ({
            items: [`${token}a`, `${token}b`],
            next: (token ?? 0) < 3 ? (token ?? 0) + 1 : null,
          }),
        }),
      csv: (cursor) =>
        enumerators.csv.rows(Buffer.from('id,name\n1,ann\n2,"bo\nb"\n3,cid\n'), { cursor, columns: true }),
      nested: (cursor) =>
        enumerators.nested([(at) => enumerators.array(NAMES, at), (name, at) => enumerators.array([...name], at)], {
          cursor,
        }),
    };
    const { positions } = await resumeAtEveryPosition(builds[source] as Build);
    expect(positions).toBe({ keyset: 10, pages: 8, csv: 3, nested: 12 }[source]);
  });
});

describe('resumeAtPositions', () => {
  it('R1: serves as a property of random runs', async () => {
    const runs = fc.array(fc.nat(3), { maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(runs, async (itemsOfRuns) => resumeAtPositions(names, itemsOfRuns).then(() => {})),
    );
    const skips = (cursor: Cursor) => names(cursor).filter(([name]) => cursor === null || name !== 'dan');
    await expect(
      fc.assert(fc.asyncProperty(runs, async (itemsOfRuns) => resumeAtPositions(skips, itemsOfRuns).then(() => {}))),
    ).rejects.toThrow(/Property failed/);
  });

  it('stops after the given numbers of items, and then reads to the end', async () => {
    const built: Cursor[] = [];
    const build = (cursor: Cursor) => {
      built.push(cursor);
      return names(cursor);
    };
    expect(await resumeAtPositions(build, [1, 0, 2])).toEqual({ items: NAMES });
    expect(built).toEqual([null, null, 0, 0, 2]);
    await expect(resumeAtPositions(build, [1.5])).rejects.toThrow(/a run of 1.5 items/);
  });
});
