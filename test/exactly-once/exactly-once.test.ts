import { Injectable, Scope, type Type } from '@nestjs/common';
import type { Job } from 'bullmq';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, onTestFinished } from 'vitest';
import { DeadLetterQueue } from '../../lib/dead-letters/dead-letter.queue.js';
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
import { Gate } from '../../lib/testing/gate.js';
import { describeQueues, type TestApp } from '../support/app.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { endLocks } from '../support/dead-locks.js';
import { PgTransactionHost } from '../support/pg.host.js';
import { until } from '../support/until.js';
import { NEVER_RENEWS, recordWorkers } from '../support/workers.js';

type Context = IterationContext<unknown, pg.PoolClient, { sum: number } | null>;
type Step = 'before the work' | 'before the commit' | 'after the commit';

/** A host that fails where a test says, as if the connection were cut there. */
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
  readonly build?: (
    context: BuildContext,
    enumerators: EnumeratorBuilder,
  ) => EnumeratorLike<unknown> | null | Promise<EnumeratorLike<unknown>>;
  readonly interrupt?: (context: Context) => unknown;
  each?: (item: unknown, context: Context) => unknown;
  complete?: (context: Context) => unknown;
}

const ITEMS = 10;

describeQueues('transactions', ['redis'], (queues) => {
  recordWorkers();
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
      async build(context: BuildContext): Promise<EnumeratorLike<unknown> | null> {
        if (script.build) return script.build(context, this.enumerators);
        return this.enumerators.times(ITEMS, { cursor: context.cursor as number | null });
      }
      @EachIteration()
      async each(item: unknown, context: Context) {
        calls.push(item);
        for (const one of [item].flat(2))
          await context.transaction.query('INSERT INTO effects (item, run) VALUES ($1, $2)', [one, context.run]);
        await script.each?.(item, context);
      }
      @OnIteration('interrupt') interrupt(context: Context) {
        return script.interrupt?.(context);
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

  it("R25: a handler's writes commit with the cursor; the end of the job deletes the row", async () => {
    const fail = once(fails('not yet'));
    const job = await run({ each: (item) => item === 4 && fail() });
    expect(await job.getState()).toBe('completed');
    expect(await effects()).toEqual(ALL);
    expect(calls).toEqual([0, 1, 2, 3, 4, 4, 5, 6, 7, 8, 9]);
    expect(await rows()).toBe(0);
  });

  it.each<Step>(['before the work', 'before the commit', 'after the commit'])(
    'R25: a connection cut %s neither repeats nor loses an effect',
    async (step) => {
      const cut = once(fails('Connection terminated'));
      host.cut = (at, transaction) => at === step && transaction === 5 && cut();
      const job = await run({}, { itemFailure: { attempts: 3, backoffMs: 1 } });
      expect(await job.getState()).toBe('completed');
      expect(await effects()).toEqual(ALL);
      expect(calls.filter((item) => item === 4)).toHaveLength(step === 'before the commit' ? 2 : 1);
    },
  );

  it('R25: a commit that fails twice does not count as a failure of its item', async () => {
    let cuts = 2;
    host.cut = (at, transaction) => at === 'before the commit' && transaction >= 5 && cuts-- > 0 && fails('cut')();
    const job = await run({}, {}, { attempts: 1 });
    expect(await job.getState()).toBe('completed');
    expect(await effects()).toEqual(ALL);
  });

  it('R25: a commit that keeps failing counts as a failure of its item', async () => {
    host.cut = (at, transaction) => at === 'before the commit' && transaction >= 5 && fails('a deferred constraint')();
    const job = await run({}, {}, { attempts: 2 });
    expect(job.failedReason).toBe('a deferred constraint');
    expect(job.progress).toMatchObject({ cursor: 3, failures: 2 });
    expect(await effects()).toEqual([0, 1, 2, 3]);
  });

  it('R25: a run asks until the database says whether a commit succeeded, and repeats nothing', async () => {
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

  it('R25: the next run finds out whether a commit succeeded if a run ends without knowing', async () => {
    const app = await start(processor({}, { itemFailure: { then: 'skip' } }));
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

  it('R25: a job resumes at its last commit after a run died before any checkpoint', async () => {
    const [reached, release] = [new Gate(), new Gate()];
    const options = { checkpoint: { everyMs: 600_000 }, worker: { lockDuration: 60_000, name: NEVER_RENEWS } };
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
    await endLocks(queues);
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

  it('R25, R20: a run that lost its lock before a commit rolls back and calls no hook', async () => {
    const [reached, release] = [new Gate(), new Gate()];
    const hold = once(async () => {
      void reached.wait();
      await release.wait();
    });
    let completed = 0;
    const script = { complete: () => void completed++ };
    // Held after the last check of the lock, before the row is written.
    const { save } = host;
    let saves = 0;
    host.save = async (...args) => {
      if (++saves === 4) await hold();
      return save.apply(host, args);
    };
    const worker = { lockDuration: 60_000, name: NEVER_RENEWS };
    const first = await start(processor(script, { worker }));
    const job = await first.queue().add('effects', {});
    await reached.reached;
    await endLocks(queues);
    const second = await start(processor(script, { worker: { stalledInterval: 100 } }));
    await second.settled(job);
    release.open();
    await until('the first run has ended', () => queues.logs.some((line) => line.includes('lost its lock')));
    expect(await effects()).toEqual(ALL);
    expect(completed).toBe(1);
  });

  it.each([2, 3, 7, 100])(
    'R25: a failing item among %s in a transaction is found, and each effect commits once',
    async (n) => {
      const fail = once(fails('not yet'));
      const job = await run({ each: (item) => item === 4 && fail() }, { itemsPerTransaction: n });
      expect(await job.getState()).toBe('completed');
      expect(await effects()).toEqual(ALL);
      expect(job.returnvalue).toEqual({ processed: ITEMS, skipped: 0 });
    },
  );

  it('R25: an item of a group that keeps failing fails the job; the items before it commit', async () => {
    const job = await run(
      { each: (item) => item === 4 && fails('never')() },
      { itemsPerTransaction: 100 },
      { attempts: 2 },
    );
    expect(job.failedReason).toBe('never');
    expect(await effects()).toEqual([0, 1, 2, 3]);
    expect(job.progress).toMatchObject({ cursor: 3, processed: 4, failures: 2 });
  });

  it('R25: a group ends when a checkpoint interval has passed', async () => {
    const everyMs = 20;
    const each = async () => {
      const endsAt = Date.now() + everyMs;
      await until('the interval has passed', () => Date.now() > endsAt);
    };
    const job = await run({ each }, { itemsPerTransaction: 100, checkpoint: { everyMs } });
    expect(await job.getState()).toBe('completed');
    expect(host.transactions).toBe(ITEMS);
  });

  it('R25: a group ends where the run ends', async () => {
    const seen: number[] = [];
    const script = {
      each: async (item: unknown, context: Context) => {
        seen.push(context.processed);
        if (item === 5) context.retryIn(1);
        if (item === 7) context.stop();
      },
    };
    const job = await run(script, { itemsPerTransaction: 100, checkpoint: { everyMs: 600_000 } });
    expect(seen).toEqual([0, 0, 0, 0, 0, 0, 6, 6]);
    expect(await effects()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(job.progress).toMatchObject({ interruptions: 1, processed: 8 });
    expect(host.transactions).toBe(2);
  });

  it('R25: a deadlock is retried and does not count as a failure', async () => {
    const deadlock = once(() => {
      throw Object.assign(new Error('deadlock detected'), { code: '40P01' });
    });
    const job = await run({ each: (item) => item === 4 && deadlock() }, {}, { attempts: 1 });
    expect(await job.getState()).toBe('completed');
    expect(await effects()).toEqual(ALL);
  });

  it('R25, R24: halves of a batch are separate transactions; only a skipped item has no effect', async () => {
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

  it('R25: state commits and rolls back with its item', async () => {
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

  it('R25: stop() commits with its item', async () => {
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

  it('R23, R25: a completed job starts anew at a manual retry, even if its row was not deleted', async () => {
    const { remove } = host;
    host.remove = fails('no permission') as typeof remove;
    const app = await start(processor());
    const job = await app.queue().add('effects', {});
    await app.settled(job);
    expect(await rows()).toBe(1);
    const done = (await app.queue().getJob(job.id as string)) as Job;
    await done.retry('completed');
    await until('the job has run again', async () => (await effects()).length === 2 * ITEMS);
    await app.settled(job);
    expect(await effects()).toEqual([...ALL, ...ALL]);
  });

  it.each(['could not serialize', 'a deferred constraint'])(
    'R25: a stop() that rolls back with its group (%s) loses no item',
    async (message) => {
      const fail = once(() => {
        throw Object.assign(new Error(message), message === 'could not serialize' && { code: '40001' });
      });
      host.cut = (at, transaction) => at === 'before the commit' && transaction === 1 && fail();
      await run({ each: (item, context) => item === 5 && context.stop() }, { itemsPerTransaction: 100 });
      expect(await effects()).toEqual([0, 1, 2, 3, 4, 5]);
    },
  );

  it('R25: a stop() in the first half of a batch takes effect after the second half', async () => {
    const file = Buffer.from(`item\n${ALL.join('\n')}`);
    const [whole, second] = [once(fails('in halves')), once(fails('not yet'))];
    const script: Script = {
      build: ({ cursor }, { csv }) =>
        csv.batches<[string]>(file, { cursor, batchSize: 4, columns: false, from_line: 2 }),
      each: (batch, context) => {
        const items = (batch as string[][]).map(([item]) => item);
        if (items.length === 4) whole();
        if (items[0] === '0') context.stop();
        if (items[0] === '2') second();
      },
    };
    const when = (error: unknown) => (error as Error).message === 'in halves';
    await run(script, { itemFailure: { then: 'skip', when } });
    expect(await effects()).toEqual(ALL);
  });

  /** Runs a job that fails permanently, and then retries it manually. */
  async function runTwice(script: Script, options: Partial<ProcessorOptions> = {}): Promise<Job> {
    const app = await start(processor(script, options));
    const job = await app.settled(await app.queue().add('effects', {}));
    expect(await job.getState()).toBe('failed');
    await job.retry('failed');
    return app.settled(job, ['completed']);
  }

  it('R23, R25: a job that failed to save its state resumes at its last commit', async () => {
    const large = once(() => ({ sum: 0, text: 'x'.repeat(20_000) }));
    await runTwice({
      each: (item, context) => {
        if (item === 5) context.state = large() ?? context.state;
      },
    });
    expect(await effects()).toEqual(ALL);
  });

  it('R23, R25: a job that failed before it read its last commit resumes there', async () => {
    const { claim } = host;
    let claims = 0;
    host.claim = async (...args) => {
      const claimed = await claim.apply(host, args);
      if (++claims === 2) throw new Error('Connection terminated');
      return claimed;
    };
    const script: Script = { each: (item, { run }) => item === 5 && run === 1 && fails('not yet')() };
    const app = await start(processor(script));
    const job = await app.queue().add('effects', {}, { attempts: 2, backoff: { type: 'fixed', delay: 600_000 } });
    await until('the job waits for its retry', async () => (await job.getState()) === 'delayed');
    const waiting = (await app.queue().getJob(job.id as string)) as Job;
    const killed = { cursor: null, processed: 0, passed: 0, failures: 1, running: 'items' }; // older than its commit
    await waiting.updateProgress({ ...(waiting.progress as object), ...killed } as never);
    await waiting.promote();
    const failed = await app.settled(job);
    expect(failed.failedReason).toBe('Connection terminated');
    await failed.retry('failed');
    await app.settled(job, ['completed']);
    expect(await effects()).toEqual(ALL);
  });

  it('R5, R25: a commit whose answer is lost while the run ends does not count as a failure', async () => {
    const cut = once(fails('Connection terminated'));
    host.cut = (at, transaction) => at === 'after the commit' && transaction === 5 && cut();
    const each: Script['each'] = (item, { retryIn, run }) => item === 4 && run === 1 && retryIn(1);
    const job = await run({ each }, {}, { attempts: 1 });
    expect(await job.getState()).toBe('completed');
    expect(await effects()).toEqual(ALL);
  });

  it('R4, R10: a run interrupted before its first item leaves the version to the next run', async () => {
    const [reached, release] = [new Gate(), new Gate()];
    const build: Script['build'] = async ({ cursor }, enumerators) => {
      void reached.wait();
      await release.wait();
      return enumerators.times(ITEMS, { cursor: cursor as number });
    };
    const first = await start(processor({ build }, { version: 2 }));
    const job = await first.queue().add('effects', {}, { iterationCursor: 4 } as never);
    await reached.reached;
    const closed = first.close();
    release.open();
    await closed;
    const second = await start(processor({}, { version: 2 }));
    expect((await second.settled(job)).failedReason).toBeUndefined();
    expect(await effects()).toEqual([5, 6, 7, 8, 9]);
  });

  it('R25: state that an interrupt hook changes is saved', async () => {
    const seen: unknown[] = [];
    await run({
      each: (item, context) => {
        seen.push(context.state);
        if (item === 4 && context.run === 1) context.retryIn(1);
      },
      interrupt: (context) => {
        context.state = { sum: 7 };
      },
    });
    expect(seen[5]).toEqual({ sum: 7 });
  });

  it('R24: a pending dead letter is written even if no item is left', async () => {
    const { length } = ALL;
    const app = await queues.start({ iteration: { workers: false } });
    const job = await app.queue().add('effects', {});
    const error = { name: 'Error', message: 'bad' };
    const letter = {
      ...{
        id: `${job.id}-${job.timestamp}-0-0`,
        order: [job.timestamp, 0, 0],
        processor: 'Effects',
        jobName: 'effects',
      },
      ...{ job: { queue: 'jobs', id: job.id }, version: null, before: 8, cursor: 9, tries: 1, at: '', error },
    };
    const progress = { iteration: 1, progress: 0, cursor: 9, processed: 9, skipped: 1, passed: length, version: null };
    const counts = { life: 0, run: 1, interruptions: 0, failures: 0, runtimeMs: 1 };
    await job.updateProgress({ ...progress, ...counts, started: true, running: 'careful', letter } as never);
    const worker = await start(processor({ build: () => null }));
    await worker.settled(job);
    expect(await worker.iterations.deadLetters(job)).toMatchObject([{ cursor: 9, error }]);
  });

  it('R21, R24: a dead letter that cannot be removed at first does not fail the redrive', async () => {
    let bad = true;
    const each: Script['each'] = (item) => item === 4 && bad && fails('bad')();
    const app = await start(processor({ each }, { itemFailure: { then: 'skip' } }));
    const job = await app.settled(await app.queue().add('effects', {}));
    bad = false;
    const { remove } = DeadLetterQueue.prototype;
    const readOnly = once(fails("READONLY You can't write against a read only replica."));
    DeadLetterQueue.prototype.remove = async function (id) {
      readOnly();
      return remove.call(this, id);
    };
    onTestFinished(() => {
      DeadLetterQueue.prototype.remove = remove;
    });
    const again = await app.settled(await app.iterations.redrive(job));
    expect(again.failedReason).toBeUndefined();
    expect((await effects()).sort((one, other) => one - other)).toEqual(ALL);
    expect(await app.iterations.deadLetters(job)).toEqual([]);
  });

  it('the module refuses a request-scoped host at start', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class PerRequest extends PgTransactionHost {
      constructor() {
        super(host.pool);
      }
    }
    const provider = { provide: 'host', useClass: PerRequest, scope: Scope.REQUEST };
    await expect(queues.start({ processors: [processor(), provider] })).rejects.toThrow(/"host".*request-scoped/);
  });

  it('the error of context.transaction says where the transaction is available', async () => {
    const job = await run({ complete: (context) => void context.transaction }, {}, { attempts: 1 });
    expect(job.failedReason).toMatch(/context\.transaction is there while an item is handled/);
  });

  it('the module refuses a token without a provider, and a provider that is not a host', async () => {
    const type = processor();
    await expect(queues.start({ processors: [type] })).rejects.toThrow(/its transactions "host" are not provided/);
    const none = { provide: 'host', useValue: { run: () => {} } };
    await expect(queues.start({ processors: [type, none] })).rejects.toThrow(/which has no claim, save, read, remove/);
  });
});
