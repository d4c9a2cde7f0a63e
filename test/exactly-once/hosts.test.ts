import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { CheckpointKey, Holder, TransactionHost } from '../../lib/definition/transaction.host.js';
import { InvalidOptionsError, IterationError } from '../../lib/iteration.errors.js';
import type { TransactionProcessConfig } from '../processes/transaction.js';
import { WorkerProcess } from '../support/processes.js';
import { DATABASES, type TransactionWorld } from '../support/transaction-worlds.js';
import { Gate, until } from '../support/until.js';

/** A document with every character class of JSON, as large as a checkpoint may become. */
const LARGE = JSON.stringify({ cursor: '\u0000\ud83d\ude00 ß \' " \\ % ? $1 :a', filling: 'é'.repeat(20_000) });

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

    it("R25: run() commits a handler's writes with the document, and returns its result", async () => {
      const key = newKey();
      expect(await host.claim(key, holder(1))).toEqual({ document: null });
      expect(await commit({ key, holder: holder(1), document: LARGE }, 1)).toBe(true);
      expect(await host.read(key, holder(1))).toEqual({ document: LARGE });
      expect(await world.effects()).toEqual([1]);
    });

    it('R25: run() rolls back writes and document if the handler fails, and rejects with its error', async () => {
      const key = newKey();
      await host.claim(key, holder(1));
      await commit({ key, holder: holder(1), document: '1' }, 1);
      const failure = new Error('no such city');
      const failing = host.run(async (transaction) => {
        await world.execute(transaction, write(2));
        await host.save(transaction, { key, holder: holder(1), document: '2' });
        throw failure;
      });
      await expect(failing).rejects.toBe(failure);
      expect(await host.read(key, holder(1))).toEqual({ document: '1' });
      expect(await world.effects()).toEqual([1]);
      expect(host.isTransient(failure)).toBe(false);
    });

    it('R25: save() refuses an old holder, whose effects roll back', async () => {
      const key = newKey();
      await host.claim(key, holder(1));
      await commit({ key, holder: holder(1), document: 'a' }, 1);
      expect(await host.claim(key, holder(2))).toEqual({ document: 'a' });
      await expect(commit({ key, holder: holder(1), document: 'zombie' }, 2)).rejects.toThrow('refused');
      expect(await host.read(key, holder(1))).toBeUndefined();
      expect(await host.read(key, holder(2))).toEqual({ document: 'a' });
      await commit({ key, holder: holder(2), document: 'b' }, 3);
      expect(await world.effects()).toEqual([1, 3]);
    });

    it('R25: claim() grants a row only to a later run, of the same or a later generation', async () => {
      const key = newKey();
      const claims: unknown[] = [];
      for (const [life, run] of [
        [0, 2],
        [0, 1],
        [0, 2],
        [0, 3],
        [1, 1],
        [0, 4],
        [1, 1],
        [1, 2],
      ] as const) {
        claims.push((await host.claim(key, holder(run, life)))?.document);
        await commit({ key, holder: holder(run, life), document: `${life}.${run}` }, claims.length).catch(() => {});
      }
      // A new generation (`life`) has no document; its own next run has one.
      expect(claims).toEqual([null, undefined, undefined, '0.2', null, undefined, undefined, '1.1']);
    });

    it('R25: claim() grants the row to exactly one of several runs with the same number', async () => {
      for (let round = 0; round < 20; round += 1) {
        const key = newKey();
        if (round % 2) await host.claim(key, holder(1));
        const claims = await Promise.all([1, 2, 3].map(() => host.claim(key, holder(2))));
        expect(claims.filter((claim) => claim !== undefined)).toEqual([{ document: null }]);
      }
    });

    it('R25: a host distinguishes jobs by every character of their keys', async () => {
      const odd = [
        'a',
        'A',
        'a ',
        ' a',
        'á',
        'a\u0301',
        'ss',
        'ß',
        '%',
        "'",
        '"',
        '\\',
        '?',
        '$1',
        ':a',
        '\n',
        '😀',
        '',
      ];
      const keys = odd.flatMap((text) => [
        { ...newKey(), jobTimestamp: 1, jobId: `id ${text}` },
        { ...newKey(), jobTimestamp: 1, jobId: 'x', queue: `q${text}` },
        { ...newKey(), jobTimestamp: 1, jobId: 'x', prefix: `{b${text}}` },
      ]);
      keys.push({ ...(keys[0] as CheckpointKey), jobTimestamp: 2 ** 45 });
      for (const [index, key] of keys.entries()) {
        expect(await host.claim(key, holder(1))).toEqual({ document: null });
        await commit({ key, holder: holder(1), document: JSON.stringify(key) }, index);
      }
      for (const key of keys) expect(await host.read(key, holder(1))).toEqual({ document: JSON.stringify(key) });
    });

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

    it('R25: remove() deletes only the row of its own run', async () => {
      const key = newKey();
      await host.claim(key, holder(2));
      await host.remove(key, holder(1));
      expect(await host.read(key, holder(2))).toEqual({ document: null });
      await host.remove(key, holder(2));
      expect(await host.read(key, holder(2))).toBeUndefined();
      await expect(commit({ key, holder: holder(2), document: 'gone' }, 1)).rejects.toThrow('refused');
      expect(await host.claim(key, holder(1))).toEqual({ document: null });
    });

    it('R25: a transaction succeeds on the same connection after another rolled back', async () => {
      const key = newKey();
      await host.claim(key, holder(1));
      for (let index = 0; index < 30; index += 1) {
        const place = { key, holder: holder(index % 3 ? 1 : 0), document: String(index) };
        await commit(place, index).catch(() => {});
      }
      expect(await host.read(key, holder(1))).toEqual({ document: '29' });
      expect(await world.effects()).toEqual(
        Array.from({ length: 30 }, (_, index) => index).filter((index) => index % 3),
      );
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
