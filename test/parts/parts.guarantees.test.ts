import { afterAll, beforeAll, expect, it } from 'vitest';
import type { TypeOrmPartsConfig } from '../processes/typeorm-parts.js';
import { BACKENDS, describeQueues } from '../support/app.js';
import { Crew } from '../support/crew.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { endLocksOf, LASTING_LOCKS } from '../support/dead-locks.js';
import { partedProcessor, throwFor } from '../support/parted.js';
import { until } from '../support/until.js';

describeQueues('guarantees of a job in parts', BACKENDS, (queues) => {
  it('R1, R26, R27: a shutdown with items in flight in several parts repeats and loses none', async () => {
    const parts = ['abcdefgh', 'ijklmnop', 'qrstuvwx'];
    let begun = 0;
    const { type, story } = partedProcessor(
      {
        each: async (_, context) => {
          begun++;
          if (begun <= 9) await until('the run is asked to stop', () => context.interruption !== undefined);
        },
      },
      { itemConcurrency: 9 },
    );
    const first = await queues.start({ processors: [type] });
    const job = await first.iterations.enqueue(type, { parts });
    await until('all items that may be are in flight', () => begun === 9);
    await first.close();
    expect(story).toHaveLength(10);
    const second = await queues.start({ processors: [type] });
    expect((await second.settled(job)).returnvalue).toEqual({ processed: 24, skipped: 0 });
    expect([story.slice(1, -1).sort(), story.at(-1)]).toEqual([[...parts.join('')], 'complete 24']);
  });

  it('R24, R27: an item that fails in a part is a dead letter of the part, and counted by the job', async () => {
    const { type, story } = partedProcessor({ each: throwFor('x') }, { itemFailure: { then: 'skip' } });
    const app = await queues.start({ processors: [type] });
    const job = await app.settled(await app.iterations.enqueue(type, { parts: ['axb', 'c', 'dx'] }));
    expect(job.returnvalue).toEqual({ processed: 4, skipped: 2 });
    expect(story).toHaveLength(6);
    const letters = await Promise.all(
      [0, 1, 2].map((part) =>
        app.iterations.deadLetters({ queue: 'jobs', id: `${job.id}-${job.timestamp}-0-part-${part}` }),
      ),
    );
    expect(letters).toMatchObject([
      [{ before: 0, cursor: 1, error: { message: 'bad x' } }],
      [],
      [{ before: 0, cursor: 1, error: { message: 'bad x' } }],
    ]);
  });

  it('R23, R27: attempts are those of each part; the job itself is not tried again for a part that failed', async () => {
    const tries: string[] = [];
    const { type, story } = partedProcessor({
      each: (letter) => {
        tries.push(letter);
        throwFor('x')(letter);
      },
    });
    const app = await queues.start({ processors: [type] });
    const added = await app.iterations.enqueue(type, { parts: ['axb', 'cd'] }, { attempts: 3 });
    const job = await app.settled(added);
    expect(job.failedReason).toMatch(/^1 of its 2 parts have failed; .*: bad x$/);
    expect(tries.sort().join('')).toBe('acdxxx');
    expect(story.filter((event) => event.startsWith('fail'))).toHaveLength(1);
  });
});

describeQueues('items that crash the process of a part', BACKENDS, (queues) => {
  const ROWS = 8;
  const KILLER = 3;
  const LIMIT = 2;
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createDatabase();
    await database.query(`CREATE TABLE entry AS SELECT n AS id, false AS is_last FROM generate_series(1, ${ROWS}) n`);
    await database.query('ALTER TABLE entry ADD PRIMARY KEY (id)');
  });
  afterAll(() => database.drop());

  /** Runs a job in two parts to its end; the third row kills its process. */
  async function crashed(then: 'fail' | 'skip') {
    const app = await queues.start({ iteration: { workers: false } });
    const config: TypeOrmPartsConfig = {
      place: queues.place,
      postgresQueue: queues.backend === 'postgres',
      databaseUrl: database.url,
      parts: 2,
      saysRows: true,
      killer: KILLER,
      iteration: { crashes: { limit: LIMIT, then }, worker: { ...LASTING_LOCKS, concurrency: 1 } },
    };
    const died = (pid: number | undefined) => endLocksOf(pid, queues);
    const crew = new Crew<TypeOrmPartsConfig>(() => config, 'typeorm-parts', { died });
    try {
      const job = await app.settled(await app.queue().add('plain', {}));
      const rows = crew.lines.flatMap((line) => /^row (\d+) /.exec(line)?.[1] ?? []);
      return { crew, job, rows: [...new Set(rows.map(Number))].sort((one, other) => one - other) };
    } finally {
      await crew.dismiss();
    }
  }

  it('R19, R27: an item that crashes its process fails only its part; the job ends when the others have', async () => {
    const { crew, job, rows } = await crashed('fail');
    expect(job.failedReason).toMatch(/^1 of its 2 parts have failed; .*-part-0": The process ended 2 times/);
    expect(crew.count(/^dies 3$/)).toBe(1 + LIMIT); // the first one does not count: it may be another item's
    expect(rows).toEqual([1, 2, 5, 6, 7, 8]);
  });

  it("R19, R27: with crashes.then 'skip' the item is skipped, and the job completes once", async () => {
    const { crew, job, rows } = await crashed('skip');
    expect(job.returnvalue).toEqual({ processed: ROWS - 1, skipped: 1 });
    expect(crew.count(/^dies 3$/)).toBe(1 + LIMIT);
    expect(rows).toEqual([1, 2, 4, 5, 6, 7, 8]);
    expect(crew.count(/^complete/)).toBe(1);
  });
});
