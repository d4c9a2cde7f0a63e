import type { Job } from 'bullmq';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Gate } from '../../lib/testing/gate.js';
import { Queues } from '../support/app.js';
import { BACKENDS, useBackend } from '../support/backend.js';
import { Network } from '../support/network.js';
import { LETTERS, OutageJobs, STEPS } from '../support/outage-jobs.js';
import { OwnPostgres } from '../support/own-postgres.js';
import { OwnRedis } from '../support/own-redis.js';
import { hasRedisServer } from '../support/redis-server.js';
import { storyProcessor } from '../support/story.js';
import { until } from '../support/until.js';

const SHORT = { lockDuration: 60_000, stalledInterval: 500 };
const LONG = { lockDuration: 2_000, stalledInterval: 200 };

/** The expected outcome of the jobs, whichever step they were at. One job fails once by itself. */
function expected({ long }: { long: boolean }): object {
  // A run that lost its lock repeats its unsaved items, and `complete`.
  const allLetters = new RegExp(`^${[...LETTERS].map((letter) => `(?=.*${letter})`).join('')}`);
  const outcome = {
    state: 'completed',
    failures: 0,
    errors: 0,
    attemptsMade: 1,
    letters: long ? expect.stringMatching(allLetters) : LETTERS,
    completes: long ? expect.toSatisfy((count: number) => count >= 1) : 1,
  };
  const outcomes = Object.fromEntries(STEPS.map((step) => [step, outcome]));
  const fail = { ...outcome, errors: long ? expect.any(Number) : 1, attemptsMade: expect.any(Number) };
  return { ...outcomes, fail, idle: { ...outcome, letters: 'abcde', completes: 1 } };
}

/** An outage must not flood the log with errors. */
function errorsIn({ logs }: Queues): number {
  return logs.filter((line) => line.startsWith('error')).length;
}

describe.runIf(hasRedisServer())('outages of Redis', () => {
  let redis: OwnRedis;
  let network: Network;
  let queues: Queues;
  beforeAll(async () => {
    redis = await OwnRedis.start();
    network = await Network.to(redis.port);
  });
  afterEach(() => queues.closeApps());
  afterAll(async () => {
    network.cut();
    await redis.remove();
  });

  const OUTAGES: Readonly<Record<string, { begin(): Promise<void> | void; end(): Promise<void> | void }>> = {
    stopped: { begin: () => redis.stop(), end: () => redis.start() },
    'cut off': { begin: () => network.cut(), end: () => network.restore() },
    silent: { begin: () => network.silence(), end: () => network.speak() },
    'out of memory': {
      begin: () => redis.command('CONFIG', 'SET', 'maxmemory', '1'),
      end: () => redis.command('CONFIG', 'SET', 'maxmemory', '0'),
    },
    'read-only': {
      begin: () => redis.command('REPLICAOF', '127.0.0.1', '1'),
      end: () => redis.command('REPLICAOF', 'NO', 'ONE'),
    },
  };

  for (const [what, outage] of Object.entries(OUTAGES)) {
    for (const long of [false, true]) {
      const duration = long ? 'longer' : 'less';
      it(`R21: jobs resume and lose nothing after Redis was ${what} for ${duration} than a lock lasts`, async () => {
        queues = new Queues('redis');
        queues.moveTo({
          connection: { host: '127.0.0.1', port: network.port, retryStrategy: () => 100 },
          prefix: `${what.replaceAll(' ', '-')}-${long}`,
        });
        const jobs = await OutageJobs.start(queues, long ? LONG : SHORT);
        expect(await jobs.meet(outage, { long })).toEqual(expected({ long }));
        expect(errorsIn(queues)).toBeLessThan(100);
      });
    }
  }
});

if (BACKENDS.includes('postgres')) {
  describe('outages of PostgreSQL', () => {
    let postgres: OwnPostgres;
    let queues: Queues;
    beforeAll(async () => {
      postgres = await OwnPostgres.start();
    });
    afterEach(async () => {
      await queues.closeApps();
      useBackend('redis');
    });
    afterAll(() => postgres.remove());

    const restart = { begin: () => postgres.stop(), end: () => postgres.start() };

    for (const long of [false, true]) {
      const duration = long ? 'longer' : 'less';
      it(`R21: jobs resume and lose nothing after PostgreSQL was stopped for ${duration} than a lock lasts`, async () => {
        useBackend('postgres');
        queues = new Queues('postgres');
        const schema = `stopped_${long}`;
        queues.moveTo({ connection: { connectionString: postgres.url, schema, max: 8, migrate: true } });
        const jobs = await OutageJobs.start(queues, long ? LONG : SHORT);
        expect(await jobs.meet(restart, { long })).toEqual(expected({ long }));
        expect(errorsIn(queues)).toBeLessThan(100);
      });
    }

    it('R21: a worker that starts while PostgreSQL is down handles jobs when it is up again', async () => {
      useBackend('postgres');
      queues = new Queues('postgres');
      queues.moveTo({ connection: { connectionString: postgres.url, schema: 'away', max: 4, migrate: true } });
      await postgres.stop();
      const { type, story } = storyProcessor();
      const app = await queues.start({ processors: [type] });
      await expect(app.queue().add('story', {})).rejects.toThrow('ECONNREFUSED');
      await postgres.start();
      await app.settled((await app.queue().add('story', {})) as Job);
      expect(story.join(' ')).toBe('start a b c d e complete end complete');
    });

    it('R21: a completion whose connection is terminated is sent again and does not count as a failure', async () => {
      useBackend('postgres');
      queues = new Queues('postgres');
      queues.moveTo({ connection: { connectionString: postgres.url, schema: 'ended', max: 4, migrate: true } });
      const atEnd = new Gate();
      const { type, story } = storyProcessor({
        hook: (event) => (event === 'end complete' ? atEnd.wait() : undefined),
      });
      const app = await queues.start({ processors: [type] });
      const job = await app.queue().add('story', {});
      await atEnd.reached;
      const admin = new pg.Pool({ connectionString: postgres.url });
      const blocker = await admin.connect();
      await blocker.query('BEGIN; SELECT 1 FROM ended.job FOR UPDATE');
      atEnd.open();
      const end = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                    WHERE query LIKE '%move_to_completed%' AND wait_event_type = 'Lock' AND pid <> pg_backend_pid()`;
      await until(
        'the connection of the completion in progress is terminated',
        async () => (await admin.query(end)).rowCount,
      );
      await blocker.query('ROLLBACK');
      blocker.release();
      await admin.end();
      const { attemptsMade, failedReason } = await app.settled(job);
      expect([await job.getState(), attemptsMade, failedReason]).toEqual(['completed', 1, undefined]);
      expect(story.filter((event) => event === 'complete').length).toBe(1);
    });

    it('R22, R23: a job with attempts resumes at its cursor after its source or handler lost PostgreSQL', async () => {
      const pool = new pg.Pool({ connectionString: postgres.url });
      pool.on('error', () => {}); // idle connections end with the server
      await pool.query('CREATE TABLE thing AS SELECT id FROM generate_series(1, 60) AS id');
      const [inHandler, begun] = [new Gate(), new Gate()];
      const handled: Record<string, number[]> = { source: [], handler: [] };
      const { type } = storyProcessor({
        build: ({ cursor }, enumerators) =>
          enumerators.keyset({
            cursor: cursor as number | null,
            key: ({ id }: { id: number }) => id,
            pageSize: 10,
            fetch: async (after, limit) =>
              (await pool.query('SELECT id FROM thing WHERE id > $1 ORDER BY id LIMIT $2', [after ?? 0, limit])).rows,
          }),
        each: async (item, { job }) => {
          const { id } = item as unknown as { id: number };
          if (id === 15 && handled[job.id as string]?.length === 14) {
            void inHandler.wait();
            await begun.wait();
          }
          if (job.id === 'handler') await pool.query('SELECT 1');
          handled[job.id as string]?.push(id);
        },
      });
      queues = new Queues('redis');
      queues.move();
      const app = await queues.start({ processors: [type], iteration: { worker: { concurrency: 2 } } });
      const retries = { attempts: 1_000, backoff: { type: 'fixed', delay: 200 } };
      const jobs: Job[] = [];
      for (const jobId of ['source', 'handler'])
        jobs.push((await app.queue().add('story', {}, { jobId, ...retries })) as Job);
      await inHandler.reached;
      await postgres.stop();
      begun.open();
      await until('both jobs have failed', async () =>
        (await Promise.all(jobs.map(({ id }) => app.iterations.status({ queue: 'jobs', id: id as string })))).every(
          (status) => status?.failures,
        ),
      );
      await postgres.start();
      for (const job of jobs) {
        await app.settled(job);
        expect([job.id, handled[job.id as string]]).toEqual([
          job.id,
          Array.from({ length: 60 }, (_, index) => index + 1),
        ]);
        expect(await app.iterations.status({ queue: 'jobs', id: job.id as string })).toMatchObject({
          state: 'completed',
          failures: 0,
        });
      }
      await pool.end();
    });
  });
}
