import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { CheckpointKey, Holder, TransactionHost } from '../../lib/definition/transaction.host.js';
import { InvalidOptionsError, IterationError } from '../../lib/iteration.errors.js';
import { Gate } from '../../lib/testing/gate.js';
import { transactionHostCases } from '../../lib/testing/index.js';
import type { TransactionProcessConfig } from '../processes/transaction.js';
import { WorkerProcess } from '../support/processes.js';
import { DATABASES, type TransactionWorld } from '../support/transaction-worlds.js';
import { until } from '../support/until.js';

for (const { name, database, client, open } of DATABASES) {
  describe(`the transactions of ${name}`, () => {
    const isServer = database !== 'sqlite';
    /** SQLite has one connection and one process, so nothing waits. */
    const itOnServers = (title: string, test: () => Promise<void>) => isServer && it(title, test);
    let world: Awaited<ReturnType<typeof open>>;
    let host: TransactionHost<unknown>;
    let jobs = 0;
    const newKey = (): CheckpointKey => ({
      prefix: 'bull',
      queue: 'jobs',
      jobId: `job-${++jobs}`,
      jobTimestamp: 1_795_305_600_000 + jobs,
    });
    const holder = (run: number, life = 0): Holder => ({ life, run });
    const write = (id: number) => `INSERT INTO effect VALUES (${id}, 0)`;
    const touch = (id: number) => `UPDATE effect SET touched = touched + 1 WHERE id = ${id}`;

    beforeAll(async () => {
      world = await open();
      ({ host } = world);
    });
    afterEach(() => world.query('DELETE FROM effect'));
    afterAll(() => world?.close());

    /** One transaction with an effect and a document. */
    const commit = (place: { key: CheckpointKey; holder: Holder; document: string }, id: number, by = host) =>
      by.run(async (transaction) => {
        await world.execute(transaction, write(id));
        const saved = await by.save(transaction, place);
        if (!saved) throw new Error('refused');
        return saved;
      });

    const contract = transactionHostCases(() => ({
      host,
      write: (transaction, id) => world.execute(transaction, write(id)),
      written: () => world.effects(),
    }));
    for (const { name, run } of contract) it(name, run);

    it('R25: claim() accepts ids of 1,024 bytes, and refuses longer ids and NUL characters', async () => {
      const long = { ...newKey(), jobId: 'é'.repeat(512), queue: 'q'.repeat(255), prefix: 'p'.repeat(255) };
      expect(await host.claim(long, holder(1))).toEqual({ document: null });
      expect(await commit({ key: long, holder: holder(1), document: '1' }, 1)).toBe(true);
      const longer = host.claim({ ...long, jobId: `${long.jobId}x` }, holder(1));
      await expect(longer).rejects.toThrow(InvalidOptionsError);
      await expect(longer).rejects.toThrow(/job id "é+…" has 1025 bytes, and the key .* holds 1024/);
      const nul = host.claim({ ...newKey(), queue: 'a\0b' }, holder(1));
      await expect(nul).rejects.toThrow(/name of the queue "a\\u0000b" holds the character U\+0000/);
    });

    it('R25: save() refuses if the handler caught an error that ended the transaction', async () => {
      const key = newKey();
      await host.claim(key, holder(1));
      const going = host.run(async (transaction) => {
        await world.execute(transaction, write(1));
        // PostgreSQL ends a transaction at any error, MySQL and SQLite at some; ROLLBACK stands for those.
        await world.execute(transaction, isPostgres ? write(1) : 'ROLLBACK').catch(() => {});
        await world.execute(transaction, write(2)).catch(() => {});
        await host.save(transaction, { key, holder: holder(1), document: '1' });
      });
      await expect(going).rejects.toThrow(isPostgres ? /transaction is aborted/ : IterationError);
      expect(await host.read(key, holder(1))).toEqual({ document: null });
    });
    const isPostgres = database === 'postgresql';

    it('R25: the error for a missing table names the table and its migration', async () => {
      const empty = await open();
      await empty.query('DROP TABLE iteration_checkpoint');
      const missing = empty.host.claim(newKey(), holder(1));
      await expect(missing).rejects.toThrow(InvalidOptionsError);
      await expect(missing).rejects.toThrow(
        client === 'typeorm'
          ? /no table iteration_checkpoint.*CreateIterationCheckpoint1795305600000/
          : /no table iteration_checkpoint.*prismaMigration\(\)/,
      );
      await empty.close();
    });

    itOnServers('R25: read() waits for a commit whose answer was lost', async () => {
      const key = newKey();
      await host.claim(key, holder(1));
      const gate = new Gate();
      const committing = host.run(async (transaction) => {
        await host.save(transaction, { key, holder: holder(1), document: 'late' });
        await gate.wait();
      });
      await gate.reached;
      const reading = host.read(key, holder(1));
      await until('the read waits', () => isWaiting(world, database));
      gate.open();
      await committing;
      expect(await reading).toEqual({ document: 'late' });
    });

    itOnServers('R25: a deadlock is transient', async () => {
      await host.run(async (transaction) => {
        for (const id of [1, 2]) await world.execute(transaction, write(id));
      });
      const gates = [new Gate(), new Gate()] as const;
      const crossing = [
        [1, 2],
        [2, 1],
      ].map(([first, second], index) =>
        host.run(async (transaction) => {
          await world.execute(transaction, touch(first as number));
          await (gates[index] as Gate).wait();
          await world.execute(transaction, touch(second as number));
        }),
      );
      const settled = Promise.allSettled(crossing);
      await Promise.all(gates.map((gate) => gate.reached));
      for (const gate of gates) gate.open();
      const [failed, ...others] = (await settled).filter(({ status }) => status === 'rejected');
      expect(others).toEqual([]);
      expect(host.isTransient((failed as PromiseRejectedResult).reason)).toBe(true);
      expect(await world.query('SELECT touched FROM effect')).toEqual([{ touched: 1 }, { touched: 1 }]);
    });

    itOnServers('R25: a serialization failure is transient, even at the commit', async () => {
      const strict = await world.strict();
      await host.run(async (transaction) => {
        for (const id of [1, 2]) await world.execute(transaction, write(id));
      });
      const gates = [new Gate(), new Gate()] as const;
      const skewed = [1, 2].map((id, index) =>
        strict.run(async (transaction) => {
          await world.execute(transaction, 'SELECT * FROM effect');
          await (gates[index] as Gate).wait();
          await world.execute(transaction, touch(id));
        }),
      );
      const settled = Promise.allSettled(skewed);
      await Promise.all(gates.map((gate) => gate.reached));
      for (const gate of gates) gate.open();
      const [failed, ...others] = (await settled).filter(({ status }) => status === 'rejected');
      expect(others).toEqual([]);
      expect(strict.isTransient((failed as PromiseRejectedResult).reason)).toBe(true);
    });

    itOnServers('R25: a strict isolation level refuses an old holder, at once or at its retry', async () => {
      const strict = await world.strict();
      const key = newKey();
      await strict.claim(key, holder(1));
      const gate = new Gate();
      const zombie = strict.run(async (transaction) => {
        await world.execute(transaction, 'SELECT 1 FROM effect');
        await gate.wait();
        if (!(await strict.save(transaction, { key, holder: holder(1), document: 'zombie' })))
          throw new Error('refused');
      });
      zombie.catch(() => {});
      await gate.reached;
      expect(await strict.claim(key, holder(2))).toEqual({ document: null });
      gate.open();
      const error = await zombie.catch((reason: unknown) => reason);
      if (!strict.isTransient(error)) expect(error).toEqual(new Error('refused'));
      await expect(commit({ key, holder: holder(1), document: 'zombie' }, 1, strict)).rejects.toThrow('refused');
      expect(await strict.read(key, holder(2))).toEqual({ document: null });
    });

    // Where the host sets a limit: docs/exactly-once.md, A frozen process.
    const hasLimit = database === 'postgresql' || client === 'typeorm';
    const itWithLimit = (title: string, test: () => Promise<void>) => hasLimit && itOnServers(title, test);
    itWithLimit('R25: a process frozen before its commit blocks no other run, and cannot commit', async () => {
      const key = newKey();
      await host.claim(key, holder(1));
      await commit({ key, holder: holder(1), document: 'first' }, 1);
      const frozen = new WorkerProcess<TransactionProcessConfig>(
        { client, database, url: world.url, key, holder: holder(1), document: 'frozen', sql: write(2) },
        'transaction',
      );
      onTestFinished(() => frozen.kill());
      await frozen.said(/^saved true$/);
      frozen.signal('SIGSTOP');
      expect(await host.claim(key, holder(2))).toEqual({ document: 'first' });
      await commit({ key, holder: holder(2), document: 'second' }, 3);
      frozen.signal('SIGCONT');
      frozen.signal('SIGUSR2');
      await frozen.said(/^rejected /);
      // Its pool lost a connection, and the process stays alive.
      expect(await frozen.said(/^again /)).toBe('again false');
      expect(await frozen.exited).toMatchObject({ code: 0 });
      expect(await world.effects()).toEqual([1, 3]);
      expect(await host.read(key, holder(2))).toEqual({ document: 'second' });
    });
  });
}

/** Whether a statement on the table of checkpoints waits for a lock. */
async function isWaiting(world: TransactionWorld, database: string): Promise<boolean> {
  const waiting =
    database === 'postgresql'
      ? `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`
      : `SELECT 1 FROM information_schema.processlist WHERE db = database() AND info LIKE 'SELECT document%FOR UPDATE'`;
  return (await world.query(waiting)).length > 0;
}
