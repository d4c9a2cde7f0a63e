import { Injectable, type Type } from '@nestjs/common';
import type { Job } from 'bullmq';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import {
  type BuildContext,
  BuildEnumerator,
  EachIteration,
  EnumeratorBuilder,
  type EnumeratorLike,
  type IterationContext,
  IterativeProcessor,
  OnIteration,
  type ProcessorOptions,
} from '../../lib/index.js';
import { describeQueues, type TestApp } from '../support/app.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { PgTransactionHost } from '../support/pg.host.js';
import { Gate, until } from '../support/until.js';

type Context = IterationContext<unknown, pg.PoolClient, { sum: number } | null>;
type Step = 'before the work' | 'before the commit' | 'after the commit';

/** A host that fails where a test says, as when the connection is cut there. */
class CutHost extends PgTransactionHost {
  cut: ((step: Step, transaction: number) => unknown) | undefined;
  transactions = 0;

  override async run<Result>(work: (transaction: pg.PoolClient) => Promise<Result>): Promise<Result> {
    const number = ++this.transactions;
    await this.cut?.('before the work', number);
    const result = await super.run(async (transaction) => {
      const given = await work(transaction);
      await this.cut?.('before the commit', number);
      return given;
    });
    await this.cut?.('after the commit', number);
    return result;
  }
}

interface Script {
  readonly build?: (context: BuildContext, enumerators: EnumeratorBuilder) => EnumeratorLike<unknown>;
  each?: (item: unknown, context: Context) => unknown;
  complete?: (context: Context) => unknown;
}

const ITEMS = 10;

describeQueues('transactions', ['redis'], (queues) => {
  let database: TestDatabase;
  let host: CutHost;
  let calls: unknown[];

  beforeAll(async () => {
    database = await createDatabase();
    await database.query('CREATE TABLE effects (seq serial, item text, run int)');
    await database.query(PgTransactionHost.table);
  });
  beforeEach(async () => {
    await database.query('TRUNCATE effects, checkpoints RESTART IDENTITY');
    const pool = new pg.Pool({ connectionString: database.url, max: 3 });
    pool.on('error', () => {});
    host = new CutHost(pool);
    calls = [];
  });
  afterEach(async () => {
    await queues.closeApps();
    await host.pool.end();
  });
  afterAll(() => database.drop());

  function processor(script: Script = {}, options: Partial<ProcessorOptions> = {}): Type {
    @Injectable()
    @IterativeProcessor({ queue: 'jobs', name: 'effects', ...options, transactions: 'host' })
    class Effects {
      constructor(private readonly enumerators: EnumeratorBuilder) {}
      @BuildEnumerator()
      build(context: BuildContext): EnumeratorLike<unknown> {
        return script.build?.(context, this.enumerators) ?? this.enumerators.times(ITEMS, { cursor: context.cursor });
      }
      @EachIteration()
      async each(item: unknown, context: Context) {
        calls.push(item);
        for (const one of [item].flat(2))
          await context.transaction.query('INSERT INTO effects (item, run) VALUES ($1, $2)', [one, context.run]);
        await script.each?.(item, context);
      }
      @OnIteration('complete') complete(context: Context) {
        return script.complete?.(context);
      }
    }
    return Effects;
  }

  const start = (type: Type, iteration = {}): Promise<TestApp> =>
    queues.start({ processors: [type, { provide: 'host', useValue: host }], iteration });

  /** Runs a job to its end. */
  async function run(script: Script, options: Partial<ProcessorOptions> = {}, job: object = {}): Promise<Job> {
    const app = await start(processor(script, options));
    return app.settled(await app.queue().add('effects', {}, { attempts: 20, ...job }));
  }

  const effects = async () =>
    (await database.query<{ item: string }>('SELECT item FROM effects ORDER BY seq')).map(({ item }) => Number(item));
  const rows = async () => (await database.query('SELECT * FROM checkpoints')).length;
  const ALL = Array.from({ length: ITEMS }, (_, item) => item);
  const once = <T>(fault: () => T) => {
    let done = false;
    return () => {
      if (done) return undefined;
      done = true;
      return fault();
    };
  };
  const fails = (message: string) => () => {
    throw new Error(message);
  };

  it('R25: what a handler writes and the cursor commit together; the row goes with the job', async () => {
    const fail = once(fails('not yet'));
    const job = await run({ each: (item) => item === 4 && fail() });
    expect(await job.getState()).toBe('completed');
    expect(await effects()).toEqual(ALL);
    expect(calls).toEqual([0, 1, 2, 3, 4, 4, 5, 6, 7, 8, 9]);
    expect(await rows()).toBe(0);
  });

  it.each<Step>(['before the work', 'before the commit', 'after the commit'])(
    'R25: a connection cut %s repeats no effect and loses none',
    async (step) => {
      const cut = once(fails('Connection terminated'));
      host.cut = (at, transaction) => at === step && transaction === 5 && cut();
      const job = await run({}, { itemFailure: { attempts: 3, backoffMs: 1 } });
      expect(await job.getState()).toBe('completed');
      expect(await effects()).toEqual(ALL);
      expect(calls.filter((item) => item === 4)).toHaveLength(step === 'before the commit' ? 2 : 1);
    },
  );

  it('R25: a commit that failed is no failure of its item, unless it fails again and again', async () => {
    let cuts = 2;
    host.cut = (at, transaction) => at === 'before the commit' && transaction >= 5 && cuts-- > 0 && fails('cut')();
    const job = await run({}, {}, { attempts: 1 });
    expect(await job.getState()).toBe('completed');
    expect(await effects()).toEqual(ALL);
  });

  it('R25: a commit that fails again and again is a failure of its item', async () => {
    host.cut = (at, transaction) => at === 'before the commit' && transaction >= 5 && fails('a deferred constraint')();
    const job = await run({}, {}, { attempts: 2 });
    expect(job.failedReason).toBe('a deferred constraint');
    expect(job.progress).toMatchObject({ cursor: 3, failures: 2 });
    expect(await effects()).toEqual([0, 1, 2, 3]);
  });

  it('R25: whether a commit is there is asked until the database answers, and nothing is repeated', async () => {
    const cut = once(fails('Connection terminated'));
    const unreachable = [0, 1, 2];
    const { read } = host;
    host.read = async (...args) => {
      if (unreachable.pop() !== undefined) throw new Error('the database system is starting up');
      return read.apply(host, args);
    };
    host.cut = (at, transaction) => at === 'after the commit' && transaction === 5 && cut();
    await run({}, { itemFailure: { attempts: 3, then: 'skip' } });
    expect(await effects()).toEqual(ALL);
    expect(calls).toEqual(ALL);
  });

  it('R25: a run that ends before it knows whether its commit is there leaves that to the next', async () => {
    const app = await start(processor({}, { itemFailure: { attempts: 3, backoffMs: 1, then: 'skip' } }));
    const cut = once(() => {
      host.read = fails('the database system is starting up');
      void app.close();
      throw new Error('Connection terminated');
    });
    host.cut = (at, transaction) => at === 'after the commit' && transaction === 5 && cut();
    const job = await app.queue().add('effects', {}, { attempts: 2 });
    await until('the app has closed', () => queues.logs.some((line) => line.includes('is not known yet')));
    host.cut = undefined;
    const next = await start(processor());
    await next.settled(job);
    expect(await effects()).toEqual(ALL);
    expect(await next.iterations.deadLetters(job)).toEqual([]);
  });

  it('R25: a run that died after a commit, and before any checkpoint, is followed where it was committed', async () => {
    const [reached, release] = [new Gate(), new Gate()];
    const options = { checkpoint: { everyMs: 600_000 }, worker: { lockDuration: 500, skipLockRenewal: true } };
    const script = {
      each: async (item: unknown, { run: number }: Context) => {
        if (item !== 6 || number > 1) return;
        void reached.wait();
        await release.wait();
      },
    };
    const first = await start(processor(script, options));
    const job = await first.queue().add('effects', {});
    await reached.reached;
    const second = await start(processor({}, { worker: { stalledInterval: 100 } }));
    await second.settled(job);
    release.open();
    await until('the first run has ended', () => queues.logs.some((line) => line.includes('lost its lock')));
    expect(await effects()).toEqual(ALL);
    expect(
      (await database.query<{ run: number }>('SELECT run FROM effects ORDER BY seq')).map((row) => row.run),
    ).toEqual([1, 1, 1, 1, 1, 1, 2, 2, 2, 2]);
    expect((await second.iterations.status(job)).processed).toBe(ITEMS);
  });

  it('R25, R20: a zombie that was held before its commit rolls back, and calls no hook', async () => {
    const [reached, release] = [new Gate(), new Gate()];
    const hold = once(async () => {
      void reached.wait();
      await release.wait();
    });
    let completed = 0;
    const script = { complete: () => void completed++ };
    // Held where the lock has been looked at for the last time, and the row has not been written.
    const { save } = host;
    let saves = 0;
    host.save = async (...args) => {
      if (++saves === 4) await hold();
      return save.apply(host, args);
    };
    const worker = { lockDuration: 500, skipLockRenewal: true, stalledInterval: 100 };
    const first = await start(processor(script, { worker }));
    const job = await first.queue().add('effects', {});
    await reached.reached;
    const second = await start(processor(script, { worker: { stalledInterval: 100 } }));
    await second.settled(job);
    release.open();
    await until('the first run has ended', () => queues.logs.some((line) => line.includes('lost its lock')));
    expect(await effects()).toEqual(ALL);
    expect(completed).toBe(1);
  });

  it.each([2, 3, 7, 100])(
    'R25: %s items in a transaction: one that fails is found, and each effect is there once',
    async (n) => {
      const fail = once(fails('not yet'));
      const job = await run({ each: (item) => item === 4 && fail() }, { itemsPerTransaction: n });
      expect(await job.getState()).toBe('completed');
      expect(await effects()).toEqual(ALL);
      expect(job.returnvalue).toEqual({ processed: ITEMS, skipped: 0 });
    },
  );

  it('R25: what one item of a group always fails with fails the job, the items before it being committed', async () => {
    const job = await run(
      { each: (item) => item === 4 && fails('never')() },
      { itemsPerTransaction: 100 },
      { attempts: 2 },
    );
    expect(job.failedReason).toBe('never');
    expect(await effects()).toEqual([0, 1, 2, 3]);
    expect(job.progress).toMatchObject({ cursor: 3, processed: 4, failures: 2 });
  });

  it('R25: a group is no longer than a checkpoint interval, and ends where the run is to end', async () => {
    const seen: number[] = [];
    const script = {
      each: async (item: unknown, context: Context) => {
        seen.push(context.processed);
        if (item === 5) context.retryIn(1);
        if (item === 7) context.stop();
      },
    };
    const job = await run(script, { itemsPerTransaction: 100, checkpoint: { everyMs: 1_000 } });
    expect(seen).toEqual([0, 0, 0, 0, 0, 0, 6, 6]);
    expect(await effects()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(job.progress).toMatchObject({ interruptions: 1, processed: 8 });
    expect(host.transactions).toBe(2);
  });

  it('R25: a deadlock is tried again, and is no failure', async () => {
    const deadlock = once(() => {
      throw Object.assign(new Error('deadlock detected'), { code: '40P01' });
    });
    const job = await run({ each: (item) => item === 4 && deadlock() }, {}, { attempts: 1 });
    expect(await job.getState()).toBe('completed');
    expect(await effects()).toEqual(ALL);
  });

  it('R25, R24: a skipped item leaves no effect, and the others each one; a batch is halved in transactions of its own', async () => {
    const file = Buffer.from(`item\n${ALL.join('\n')}`);
    const batches = ({ cursor }: BuildContext, { csv }: EnumeratorBuilder) =>
      csv.batches<[string]>(file, { cursor, batchSize: 4, columns: false, from_line: 2 });
    const job = await run(
      { build: batches, each: (batch) => (batch as string[][]).some(([item]) => item === '4') && fails('bad')() },
      { itemFailure: { then: 'skip' }, itemsPerTransaction: 4 },
    );
    expect(await effects()).toEqual(ALL.filter((item) => item !== 4));
    expect(job.returnvalue).toEqual({ processed: 3, skipped: 1 });
  });

  it('R25: state is committed with its item, and rolled back with it', async () => {
    const cut = once(fails('Connection terminated'));
    host.cut = (at, transaction) => at === 'after the commit' && transaction === 4 && cut();
    const sums: unknown[] = [];
    const fail = once(fails('not yet'));
    const script: Script = {
      each: (item, context) => {
        context.state = { sum: (context.state?.sum ?? 0) + (item as number) };
        if (item === 2) fail();
      },
      complete: ({ state }) => void sums.push(state),
    };
    await run(script, { itemFailure: { attempts: 2, backoffMs: 1 } });
    expect(sums).toEqual([{ sum: 45 }]);
  });

  it('R25: that the job is to stop is committed with its item', async () => {
    const app = await start(processor({ each: (item, context) => item === 4 && context.stop() }));
    const cut = once(() => {
      host.read = fails('the database system is starting up');
      void app.close();
      throw new Error('Connection terminated');
    });
    host.cut = (at, transaction) => at === 'after the commit' && transaction === 5 && cut();
    const { read } = host;
    const job = await app.queue().add('effects', {}, { attempts: 2 });
    await until('the run has ended', () => queues.logs.some((line) => line.includes('is not known yet')));
    host.read = read;
    const next = await start(processor());
    await next.settled(job);
    expect(await effects()).toEqual([0, 1, 2, 3, 4]);
  });

  it('R23, R25: a completed job that is retried by hand starts anew, also when its row could not be removed', async () => {
    const { remove } = host;
    host.remove = fails('no permission') as typeof remove;
    const app = await start(processor());
    const job = await app.queue().add('effects', {});
    await app.settled(job);
    expect(await rows()).toBe(1);
    const done = (await app.queue().getJob(job.id as string)) as Job;
    await done.retry('completed');
    await until('it has run again', async () => (await effects()).length === 2 * ITEMS);
    await app.settled(job);
    expect(await effects()).toEqual([...ALL, ...ALL]);
  });

  it('context.transaction says where it is there', async () => {
    const job = await run({ complete: (context) => void context.transaction }, {}, { attempts: 1 });
    expect(job.failedReason).toMatch(/context\.transaction is there while an item is handled/);
  });

  it('a token that nothing is provided under, or no host, is refused at start', async () => {
    const type = processor();
    await expect(queues.start({ processors: [type] })).rejects.toThrow(/its transactions "host" are not provided/);
    const none = { provide: 'host', useValue: { run: () => {} } };
    await expect(queues.start({ processors: [type, none] })).rejects.toThrow(/which has no claim, save, read, remove/);
  });
});
