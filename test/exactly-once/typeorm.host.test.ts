import { DataSource, type DataSourceOptions } from 'typeorm';
import { afterEach, describe, expect, it } from 'vitest';
import { TypeOrmTransactionHost } from '../../lib/exactly-once/typeorm/typeorm.host.js';
import { CreateIterationCheckpoint1795305600000 } from '../../lib/exactly-once/typeorm/typeorm.migration.js';
import { InvalidOptionsError, IterationError } from '../../lib/iteration.errors.js';
import { Gate } from '../../lib/testing/gate.js';
import { createDatabase, createMariaDatabase } from '../support/database.js';

const KEY = { prefix: 'bull', queue: 'jobs', jobId: '1', jobTimestamp: 1 };
const HOLDER = { life: 0, run: 1 };

describe('TypeOrmTransactionHost', () => {
  const closings: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const close of closings.splice(0).reverse()) await close();
  });

  async function connect(options: DataSourceOptions): Promise<DataSource> {
    const migrations = [CreateIterationCheckpoint1795305600000];
    const source = await new DataSource({ ...options, migrations } as DataSourceOptions).initialize();
    closings.push(() => source.destroy());
    return source;
  }

  async function onPostgres(options: { schema?: string; poolSize?: number } = {}) {
    const database = await createDatabase();
    closings.push(() => database.drop());
    if (options.schema) await database.query(`CREATE SCHEMA "${options.schema}"`);
    return { database, source: await connect({ type: 'postgres', url: database.url, ...options }) };
  }

  async function onMariaDb() {
    const database = await createMariaDatabase();
    closings.push(() => database.drop());
    const source = await connect({ type: 'mariadb', url: database.url, poolSize: 3 });
    await source.runMigrations();
    await source.query('CREATE TABLE effect (id int NOT NULL PRIMARY KEY, touched int NOT NULL)');
    await source.query('INSERT INTO effect VALUES (1, 0), (2, 0)');
    return { source, host: new TypeOrmTransactionHost(source) };
  }

  it('R25: the constructor refuses unsupported data sources and options', () => {
    const source = new DataSource({ type: 'sqljs' });
    expect(() => new TypeOrmTransactionHost({} as DataSource)).toThrow(InvalidOptionsError);
    expect(() => new TypeOrmTransactionHost(DataSource as never)).toThrow(
      /DataSource of TypeORM, and was given the class/,
    );
    expect(() => new TypeOrmTransactionHost(source, { isolationLevel: 'x' } as object)).toThrow(
      /unknown option "isolationLevel"\. Did you mean "isolation"\?$/,
    );
    expect(() => new TypeOrmTransactionHost(source, { isolation: 'Serializable' as 'SERIALIZABLE' })).toThrow(
      /"isolation" is "Serializable"; it must be 'READ UNCOMMITTED' or /,
    );
    // The driver `sqlite` of TypeORM 0.3 answers an UPDATE with RETURNING without its rows.
    for (const type of ['oracle', 'sqlite']) {
      const other = { createQueryRunner: () => {}, options: { type } } as unknown as DataSource;
      expect(() => new TypeOrmTransactionHost(other)).toThrow(`does not work on a data source of the type "${type}"`);
    }
  });

  it('R25: the table is in the schema of the data source, and undoing the migration drops it', async () => {
    const { source, database } = await onPostgres({ schema: 'odd schema' });
    await source.runMigrations();
    const host = new TypeOrmTransactionHost(source);
    expect(await host.claim(KEY, HOLDER)).toEqual({ document: null });
    expect(await host.run((manager) => host.save(manager, { key: KEY, holder: HOLDER, document: '1' }))).toBe(true);
    expect(await database.query('SELECT run, document FROM "odd schema".iteration_checkpoint')).toEqual([
      { run: 1, document: '1' },
    ]);
    await source.undoLastMigration();
    await expect(host.claim(KEY, HOLDER)).rejects.toThrow(/no table "odd schema"\.iteration_checkpoint/);
  });

  it('R25: the host needs only one connection at a time', async () => {
    const { source } = await onPostgres({ poolSize: 1 });
    await source.runMigrations();
    const host = new TypeOrmTransactionHost(source);
    await host.claim(KEY, HOLDER);
    const saved = await Promise.all(
      ['1', '2', '3'].map((document) =>
        host.run((manager) => host.save(manager, { key: KEY, holder: HOLDER, document })),
      ),
    );
    expect(saved).toEqual([true, true, true]);
  });

  it("R25: the end of a transaction restores PostgreSQL's own limit of idle transactions", async () => {
    const { source } = await onPostgres({ poolSize: 1 });
    await source.runMigrations();
    const host = new TypeOrmTransactionHost(source);
    await host.claim(KEY, HOLDER);
    const limit = "SELECT current_setting('idle_in_transaction_session_timeout') AS limit";
    await host.run(async (manager) => {
      await host.save(manager, { key: KEY, holder: HOLDER, document: '1' });
      expect(await manager.query(limit)).toEqual([{ limit: '5s' }]);
    });
    expect(await source.query(limit)).toEqual([{ limit: '0' }]);
  });

  it('R25: the host runs one transaction at a time on SQLite, which has one connection', async () => {
    const source = await connect({ type: 'sqljs' });
    await source.runMigrations();
    const host = new TypeOrmTransactionHost(source);
    await host.claim(KEY, HOLDER);
    const gate = new Gate();
    const story: string[] = [];
    const first = host.run(async (manager) => {
      await gate.wait();
      await host.save(manager, { key: KEY, holder: HOLDER, document: 'first' });
      story.push('first');
      throw new Error('rolled back');
    });
    const second = host.run(async (manager) => {
      story.push('second');
      return host.save(manager, { key: KEY, holder: HOLDER, document: 'second' });
    });
    const reading = host.read(KEY, HOLDER);
    await gate.reached;
    gate.open();
    await expect(first).rejects.toThrow('rolled back');
    expect(await second).toBe(true);
    expect(await reading).toEqual({ document: 'second' });
    expect(story).toEqual(['first', 'second']);
  });

  it('R25: the host refuses to join a foreign transaction on SQLite, and works after it', async () => {
    const source = await connect({ type: 'sqljs' });
    await source.runMigrations();
    const host = new TypeOrmTransactionHost(source);
    const gate = new Gate();
    const other = source.transaction(() => gate.wait());
    await gate.reached;
    await expect(host.claim(KEY, HOLDER)).rejects.toThrow(IterationError);
    await expect(host.run(async () => {})).rejects.toThrow(/"sqljs".*Give the host a data source of its own/);
    gate.open();
    await other;
    expect(await host.claim(KEY, HOLDER)).toEqual({ document: null });
  });

  it('R25: the host works after SQLite rolled back a transaction by itself', async () => {
    const source = await connect({ type: 'sqljs' });
    await source.runMigrations();
    const host = new TypeOrmTransactionHost(source);
    const failing = host.run(async (manager) => {
      await manager.query('ROLLBACK');
      throw new Error('the disk is full');
    });
    await expect(failing).rejects.toThrow('the disk is full');
    expect(await host.claim(KEY, HOLDER)).toEqual({ document: null });
    expect(await host.run((manager) => host.save(manager, { key: KEY, holder: HOLDER, document: '1' }))).toBe(true);
  });

  describe.skipIf(!process.env.MARIADB_URL)('on MariaDB', () => {
    it('R25: isTransient() recognizes a lock wait timeout', async () => {
      const { source, host } = await onMariaDb();
      const gate = new Gate();
      const holding = source.transaction(async (manager) => {
        await manager.query('UPDATE effect SET touched = 1 WHERE id = 1');
        await gate.wait();
      });
      await gate.reached;
      const waiting = host.run(async (manager) => {
        await manager.query('SET SESSION innodb_lock_wait_timeout = 1');
        await manager.query('UPDATE effect SET touched = 2 WHERE id = 1');
      });
      const error = await waiting.catch((reason: unknown) => reason);
      expect(error).toMatchObject({ driverError: { errno: 1205 } });
      expect(host.isTransient(error)).toBe(true);
      gate.open();
      await holding;
    });

    it('R25: isTransient() recognizes a row that changed since the snapshot', async () => {
      const { source, host } = await onMariaDb();
      const failing = host.run(async (manager) => {
        await manager.query('SET SESSION innodb_snapshot_isolation = ON');
        await manager.query('SELECT * FROM effect');
        await source.query('UPDATE effect SET touched = 7 WHERE id = 1');
        await manager.query('UPDATE effect SET touched = touched + 1 WHERE id = 1');
      });
      const error = await failing.catch((reason: unknown) => reason);
      expect(error).toMatchObject({ driverError: { errno: 1020 } });
      expect(host.isTransient(error)).toBe(true);
    });

    it('R25: the host returns the connection without its limit of idle transactions', async () => {
      const { source, host } = await onMariaDb();
      await host.claim(KEY, HOLDER);
      const limit = 'SELECT CONNECTION_ID() AS id, @@idle_write_transaction_timeout AS seconds';
      const [before] = await source.query(limit);
      let within: { id: number; seconds: string }[] = [];
      for (const end of [async () => {}, () => Promise.reject(new Error('rolled back'))]) {
        const running = host.run(async (manager) => {
          await host.save(manager, { key: KEY, holder: HOLDER, document: '1' });
          within = await manager.query(limit);
          await end();
        });
        await running.catch(() => {});
        expect(within).toEqual([{ id: before.id, seconds: '5' }]);
        expect(await source.query(limit)).toEqual([before]);
      }
    });

    it('R25: save() refuses if the handler caught a deadlock that rolled back the transaction', async () => {
      const { source, host } = await onMariaDb();
      await host.claim(KEY, HOLDER);
      const gate = new Gate();
      const caught = host.run(async (manager) => {
        await manager.query('INSERT INTO effect VALUES (3, 0)');
        await manager.query('UPDATE effect SET touched = 1 WHERE id = 1');
        await gate.wait();
        await manager.query('UPDATE effect SET touched = 1 WHERE id = 2').catch(() => {});
        await host.save(manager, { key: KEY, holder: HOLDER, document: '1' });
      });
      await gate.reached;
      // The transaction that changed more rows survives the deadlock.
      const other = source.transaction(async (manager) => {
        await manager.query('INSERT INTO effect SELECT seq, 0 FROM seq_100_to_300');
        await manager.query('UPDATE effect SET touched = 1 WHERE id = 2');
        gate.open();
        await manager.query('UPDATE effect SET touched = 1 WHERE id = 1');
      });
      await expect(caught).rejects.toThrow(/ended the transaction by itself/);
      await other;
      expect(await host.read(KEY, HOLDER)).toEqual({ document: null });
      expect(await source.query('SELECT 1 FROM effect WHERE id = 3')).toEqual([]);
    });
  });
});
