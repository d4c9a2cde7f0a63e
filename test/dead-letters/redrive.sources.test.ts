import { Readable } from 'node:stream';
import type { DataSource } from 'typeorm';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { batchesOf } from '../../lib/enumerators/contract/batches.js';
import { SourceEnumerator, sourceOf } from '../../lib/enumerators/contract/index.js';
import type { BuildContext, Cursor, Enumerator, EnumeratorBuilder, EnumeratorLike } from '../../lib/index.js';
import { describeQueues, type TestApp } from '../support/app.js';
import { PrismaTables } from '../support/prisma/tables.js';
import { type OpenDatabase, openDatabase } from '../support/query-databases.js';
import { queryEntities, Seat } from '../support/query-entities.js';
import { type Script, storyProcessor } from '../support/story.js';
import { until } from '../support/until.js';

type Build = (context: Pick<BuildContext, 'cursor'>, enumerators: EnumeratorBuilder) => EnumeratorLike<unknown> | null;

interface SourceCase {
  readonly build: Build;
  /** The records of an item. */
  readonly idsOf: (item: never) => readonly number[] | Promise<readonly number[]>;
}

const numbers = (count: number, first = 1) => Array.from({ length: count }, (_, index) => first + index);

/** Batches of any source of the library. */
function inBatches<T>(enumerator: EnumeratorLike<T>, size: number): Enumerator<T[]> {
  const { source, cursor } = sourceOf(enumerator);
  return new SourceEnumerator(batchesOf(source, size), cursor);
}

const csvOf = (count: number) =>
  Buffer.from(
    `id,note\n${numbers(count)
      .map((id) => `${id},"a\n${id}"\n`)
      .join('')}`,
  );

/** Rows by key. They may change during the iteration. */
const rowsByKey =
  (rows: readonly number[]): Build =>
  ({ cursor }, enumerators) =>
    enumerators.keyset({
      cursor: cursor as number | null,
      fetch: async (after, limit) => rows.filter((id) => after === null || id > after).slice(0, limit),
      key: (id) => id,
      pageSize: 7,
    });

describeQueues('dead letters of every source', ['redis'], (queues) => {
  let database: OpenDatabase;
  let dataSource: DataSource;
  let tables: PrismaTables;
  let prisma: ReturnType<PrismaTables['connect']>;

  beforeAll(async () => {
    tables = await PrismaTables.make();
    prisma = tables.connect();
    await tables.database.query(
      `INSERT INTO "Entry" SELECT i, 'e' || i % 3, '2024-01-01T00:00:00Z'::timestamptz + i / 3 * interval '150 microseconds'
         FROM generate_series(1, 1000) i`,
    );
    database = await openDatabase('sqlite', queryEntities);
    dataSource = database.dataSource;
    for (const first of [1, 501])
      await dataSource.getRepository(Seat).insert(numbers(500, first).map((number) => ({ hall: 1, row: 2, number })));
  });
  afterAll(async () => {
    await database.close();
    await tables.drop();
  });

  /** Runs a job that skips the bad records. `seen` has each record as often as it was handled. */
  async function skipping({ build, idsOf }: SourceCase, bad: Set<number>) {
    const seen: number[] = [];
    const script: Script = {
      build: build as Script['build'],
      each: (async (item: never) => {
        const ids = await idsOf(item);
        const guilty = ids.filter((id) => bad.has(id));
        if (guilty.length > 0) throw new Error(`cannot handle ${guilty.join(' and ')}`);
        seen.push(...ids);
      }) as unknown as Script['each'],
    };
    const { type } = storyProcessor(script, { itemFailure: { then: 'skip' } });
    const app = await queues.start({ processors: [type] });
    const job = await app.settled(await app.queue().add('story', {}));
    return { app, job, seen };
  }

  async function redrive(app: TestApp, job: Parameters<TestApp['settled']>[0]) {
    const { returnvalue, failedReason } = await app.settled(await app.iterations.redrive(job));
    return { returnvalue, failedReason };
  }

  const batches: Record<string, SourceCase> = {
    'csv.batches': {
      build: ({ cursor }, { csv }) =>
        csv.batches<{ id: string }>(csvOf(1_000), { cursor, batchSize: 1_000, columns: true }),
      idsOf: (rows: { id: string }[]) => rows.map(({ id }) => Number(id)),
    },
    'batches of an array': {
      build: ({ cursor }, enumerators) => inBatches(enumerators.array(numbers(1_000), { cursor }), 1_000),
      idsOf: (ids: number[]) => ids,
    },
    'typeorm.batches': {
      build: ({ cursor }, { typeorm }) => typeorm.batches(dataSource.getRepository(Seat), { cursor, batchSize: 1_000 }),
      idsOf: (seats: Seat[]) => seats.map(({ number }) => number),
    },
    'typeorm.queries': {
      build: ({ cursor }, { typeorm }) =>
        typeorm.queries(dataSource.getRepository(Seat), { cursor, batchSize: 1_000 }) as Enumerator<unknown>,
      idsOf: async (query: { getMany(): Promise<Seat[]> }) => (await query.getMany()).map(({ number }) => number),
    },
    'prisma.batches': {
      build: ({ cursor }, enumerators) =>
        enumerators.prisma.batches(prisma.entry, {}, { cursor, key: ['createdAt', 'id'], batchSize: 1_000 }),
      idsOf: (rows: { id: number }[]) => rows.map(({ id }) => id),
    },
    'prisma.wheres': {
      build: ({ cursor }, enumerators) => enumerators.prisma.wheres(prisma.entry, {}, { cursor, batchSize: 1_000 }),
      idsOf: async (where: object) => (await prisma.entry.findMany({ where })).map(({ id }) => id),
    },
    'nested batches': {
      build: ({ cursor }, enumerators) =>
        enumerators.nested<number, number[]>(
          [
            ({ cursor }) => enumerators.array([0, 1], { cursor }),
            (half, { cursor }) => inBatches(enumerators.array(numbers(500, 1 + half * 500), { cursor }), 500),
          ],
          { cursor },
        ),
      idsOf: (ids: number[]) => ids,
    },
    'take of batches': {
      build: ({ cursor }, enumerators) =>
        enumerators.take(inBatches(enumerators.array(numbers(3_000), { cursor }), 500), 2),
      idsOf: (ids: number[]) => ids,
    },
    'throttle of batches': {
      build: ({ cursor }, enumerators) => {
        let asked = 0;
        return enumerators.throttle(inBatches(enumerators.array(numbers(1_000), { cursor }), 1_000), {
          when: () => cursor === null && asked++ === 1,
          retryInMs: 0,
        });
      },
      idsOf: (ids: number[]) => ids,
    },
  };

  it.each(Object.keys(batches))(
    'R24: 3 bad records of 1,000 in %s become dead letters, and only they are redriven',
    async (name) => {
      const bad = new Set([17, 500, 1_000]);
      const { app, job, seen } = await skipping(batches[name] as SourceCase, bad);
      expect(job.failedReason).toBeUndefined();
      expect(job.returnvalue).toMatchObject({ skipped: 3 });
      expect(seen.sort((one, other) => one - other)).toEqual(numbers(1_000).filter((id) => !bad.has(id)));
      const letters = await app.iterations.deadLetters(job);
      expect(letters.map(({ error }) => error.message).sort()).toEqual(
        ['cannot handle 1000', 'cannot handle 17', 'cannot handle 500'].sort(),
      );
      expect(letters.map(({ tries }) => tries)).toEqual([1, 1, 1]);

      seen.length = 0;
      bad.clear();
      expect(await redrive(app, job)).toMatchObject({ returnvalue: { processed: 3, skipped: 0 } });
      expect(seen.sort((one, other) => one - other)).toEqual([17, 500, 1_000]);
      expect(await app.iterations.deadLetters(job)).toEqual([]);
    },
  );

  it('R24: a batch whose records are all bad is skipped record by record', async () => {
    const bad = new Set(numbers(20));
    const { app, job, seen } = await skipping(
      {
        build: ({ cursor }, enumerators) => inBatches(enumerators.array(numbers(25), { cursor }), 10),
        idsOf: (ids: number[]) => ids,
      },
      bad,
    );
    expect(job.returnvalue).toEqual({ processed: 1, skipped: 20 });
    expect(seen).toEqual(numbers(5, 21));
    expect(await app.iterations.status(job)).toMatchObject({ size: 3, percent: 100 });
    const letters = await app.iterations.deadLetters(job);
    expect(letters.map(({ before, cursor }) => [before, cursor])).toEqual(
      numbers(20, 0).map((index) => [index === 0 ? null : index - 1, index]),
    );
  });

  it('R24: a custom halve isolates a bad record; one that fails or never ends fails the job', async () => {
    const build =
      (halve: unknown): Build =>
      ({ cursor }) =>
        ({
          *[Symbol.iterator]() {
            if (cursor === null) yield [[1, 2, 3, 4], 4] as const;
          },
          halve,
        }) as never;
    const inTwo = async (ids: number[], _: Cursor, cursor: number) => {
      const middle = Math.floor(ids.length / 2);
      const [first, second] = [ids.slice(0, middle), ids.slice(middle)];
      return first.length === 0
        ? undefined
        : ([
            [first, first.at(-1)],
            [second, cursor],
          ] as const);
    };
    const idsOf = (ids: number[]) => ids;
    const own = await skipping({ build: build(inTwo), idsOf }, new Set([3]));
    expect([own.job.returnvalue, own.seen]).toEqual([{ processed: 1, skipped: 1 }, [1, 2, 4]]);
    await own.app.close();

    const refusing = () => Promise.reject(new Error('no halves'));
    const endless = async (ids: number[], _: Cursor, cursor: number) =>
      [
        [ids, cursor],
        [ids, cursor],
      ] as const;
    for (const [halve, reason] of [
      [refusing, 'no halves'],
      [endless, 'halve returned a half that ends at'],
    ] as const) {
      const { app, job } = await skipping({ build: build(halve), idsOf }, new Set([3]));
      expect(job.failedReason).toBe('cannot handle 3');
      expect(await app.iterations.deadLetters(job)).toEqual([]);
      expect(queues.logs.filter((line) => line.includes(reason))).toHaveLength(1);
      await app.close();
    }
  });

  it('R24: a redrive does not handle records inserted next to the bad record of a batch', async () => {
    const rows = numbers(30).map((id) => id * 10);
    const bad = new Set([10, 150, 300]);
    const build: Build = (context, enumerators) =>
      inBatches(rowsByKey(rows)(context, enumerators) as Enumerator<number>, 4);
    const { app, job, seen } = await skipping({ build, idsOf: (ids: number[]) => ids }, bad);
    rows.push(...[1, 2, 3, 4, 5, 6, 7, 149, 291, 305]);
    rows.sort((one, other) => one - other);
    bad.clear();
    seen.length = 0;
    expect(await redrive(app, job)).toMatchObject({ returnvalue: { processed: 3, skipped: 0 } });
    expect(seen).toEqual([10, 150, 300]);
    expect(await app.iterations.deadLetters(job)).toEqual([]);
  });

  const records: Record<string, SourceCase> = {
    array: {
      build: ({ cursor }, enumerators) => enumerators.array(numbers(10), { cursor }),
      idsOf: (id: number) => [id],
    },
    keyset: { build: rowsByKey(numbers(10)), idsOf: (id: number) => [id] },
    pages: {
      build: ({ cursor }, enumerators) =>
        enumerators.pages<number, number>({
          cursor,
          fetch: async (token) => ({
            items: numbers(3, 1 + (token ?? 0) * 3).filter((id) => id < 11),
            next: (token ?? 0) < 3 ? (token ?? 0) + 1 : null,
          }),
        }),
      idsOf: (id: number) => [id],
    },
    'csv.rows': {
      build: ({ cursor }, { csv }) =>
        csv.rows<{ id: string }>(({ start }) => Readable.from([csvOf(10).subarray(start)]), { cursor, columns: true }),
      idsOf: ({ id }: { id: string }) => [Number(id)],
    },
    'typeorm.records': {
      build: ({ cursor }, { typeorm }) =>
        typeorm.records(dataSource.getRepository(Seat).createQueryBuilder('s').where('s.number <= 10'), { cursor }),
      idsOf: ({ number }: Seat) => [number],
    },
    'prisma.records': {
      build: ({ cursor }, enumerators) =>
        enumerators.prisma.records(prisma.entry, { where: { id: { lte: 10 } } }, { cursor, key: ['createdAt', 'id'] }),
      idsOf: ({ id }: { id: number }) => [id],
    },
    nested: {
      build: ({ cursor }, enumerators) =>
        enumerators.nested<number, number>(
          [
            ({ cursor }) => enumerators.array([0, 5], { cursor }),
            (first, { cursor }) => enumerators.array(numbers(5, 1 + first), { cursor }),
          ],
          { cursor },
        ),
      idsOf: (id: number) => [id],
    },
    'a generator that mutates its cursor': {
      build: ({ cursor }) =>
        (function* () {
          const at = { page: (cursor as { page: number } | null)?.page ?? 0 };
          while (at.page < 10) {
            at.page++;
            yield [at.page, at] as const;
          }
        })(),
      idsOf: (id: number) => [id],
    },
    'an endless generator': {
      build: ({ cursor }, enumerators) =>
        enumerators.take(
          (async function* () {
            for (let id = ((cursor as number) ?? 0) + 1; ; id++) yield [id, id] as const;
          })(),
          10,
        ),
      idsOf: (id: number) => [id],
    },
    'a throttled array': {
      build: ({ cursor }, enumerators) =>
        enumerators.throttle(enumerators.array(numbers(10), { cursor }), { when: () => false, retryInMs: 0 }),
      idsOf: (id: number) => [id],
    },
  };

  it.each(Object.keys(records))('R24: a redrive of %s handles only the bad items', async (name) => {
    const bad = new Set([1, 6, 10]);
    const { app, job, seen } = await skipping(records[name] as SourceCase, bad);
    expect(job.returnvalue).toEqual({ processed: 7, skipped: 3 });
    expect(seen).toEqual(numbers(10).filter((id) => !bad.has(id)));
    seen.length = 0;
    bad.clear();
    expect(await redrive(app, job)).toMatchObject({ returnvalue: { processed: 3, skipped: 0 } });
    expect(seen).toEqual([1, 6, 10]);
    expect(await app.iterations.deadLetters(job)).toEqual([]);
  });

  it('R24: an item of a poll is gone, and a redrive handles no other item instead', async () => {
    const queue = numbers(5);
    const bad = new Set([2]);
    const build: Build = (_, enumerators) => enumerators.poll(async () => queue.shift());
    const { app, job, seen } = await skipping({ build, idsOf: (id: number) => [id] }, bad);
    expect([job.returnvalue, seen]).toEqual([{ processed: 4, skipped: 1 }, [1, 3, 4, 5]]);
    bad.clear();
    queue.push(8, 9);
    expect(await redrive(app, job)).toMatchObject({ returnvalue: { processed: 0, skipped: 1 } });
    expect([queue, seen.length]).toEqual([[8, 9], 4]);
    expect(await app.iterations.deadLetters(job)).toMatchObject([{ error: { name: 'ItemGoneError' } }]);
  });

  it('R24: a redrive that searches a generator for a missing item stops at a shutdown', async () => {
    let gone = false;
    const build: Build = ({ cursor }) =>
      (function* () {
        for (let id = ((cursor as number) ?? 0) + 1; gone || id <= 3; id++)
          if (id !== 2 || !gone) yield [id, id] as const;
      })();
    const { app, job } = await skipping({ build, idsOf: (id: number) => [id] }, new Set([2]));
    gone = true;
    await app.iterations.redrive(job);
    await until('the redrive is active', async () => (await app.queue().getActiveCount()) === 1);
    await app.close();
    const reader = await queues.start({ iteration: { workers: false } });
    expect(await reader.iterations.deadLetters(job)).toHaveLength(1);
  });

  it('R10: a redrive over a changed file fails, whatever onChange says', async () => {
    let file = csvOf(10);
    const bad = new Set([6]);
    const build: Build = ({ cursor }, { csv }) => csv.rows<{ id: string }>(file, { cursor, columns: true });
    const script: Script = {
      build: build as Script['build'],
      each: (async ({ id }: { id: string }) => {
        if (bad.has(Number(id))) throw new Error('bad');
      }) as unknown as Script['each'],
    };
    const asked: Cursor[] = [];
    const { type } = storyProcessor(script, {
      itemFailure: { then: 'skip' },
      onChange: ({ cursor }) => {
        asked.push(cursor);
        return cursor;
      },
    });
    const app = await queues.start({ processors: [type] });
    const job = await app.settled(await app.queue().add('story', {}));
    file = Buffer.from(csvOf(10).toString().replaceAll('a\n', 'b\n'));
    expect((await redrive(app, job)).failedReason).toContain('The item of a dead letter is no longer in its source');
    expect(asked).toEqual([]);
    expect(await app.iterations.deadLetters(job)).toHaveLength(1);
  });
});
