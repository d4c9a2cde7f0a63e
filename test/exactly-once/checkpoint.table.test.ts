import { describe, expect, it } from 'vitest';
import { CheckpointTable, type Executor } from '../../lib/exactly-once/table/checkpoint.table.js';
import { isTransient } from '../../lib/exactly-once/table/database.errors.js';

const PLACE = {
  key: { prefix: 'bull', queue: 'jobs', jobId: '1', jobTimestamp: 1 },
  holder: { life: 0, run: 1 },
};

describe('statements on the table iteration_checkpoint', () => {
  const failing = (error: object, times: number) => {
    let calls = 0;
    const rows = async () => {
      calls += 1;
      if (calls <= times) throw error;
      return [{ document: null }];
    };
    const executor: Executor = { rows, affected: async () => (await rows()).length };
    return { executor, calls: () => calls };
  };

  it('R25: a statement that fails on a conflict is executed at most ten times', async () => {
    const table = new CheckpointTable({ dialect: 'postgresql', migration: '' });
    const some = failing({ code: '40001' }, 3);
    expect(await table.claim(some.executor, PLACE)).toEqual({ document: null });
    expect(some.calls()).toBe(4);
    const always = failing({ code: '40001' }, Infinity);
    await expect(table.read(always.executor, PLACE)).rejects.toEqual({ code: '40001' });
    expect(always.calls()).toBe(10);
  });

  it('R25: a statement is not retried after a connection error or a lock wait timeout', async () => {
    const table = new CheckpointTable({ dialect: 'mysql', migration: '' });
    for (const error of [{ code: 'ECONNREFUSED' }, { code: 'ER_LOCK_WAIT_TIMEOUT', errno: 1205 }]) {
      const once = failing(error, Infinity);
      await expect(table.claim(once.executor, PLACE)).rejects.toBe(error);
      expect(once.calls()).toBe(1);
    }
  });

  it('R25: isTransient() finds a transient error within any error of a driver or ORM', () => {
    const itself: { code: string; cause?: unknown } = { code: 'X' };
    itself.cause = itself;
    const transient = [
      { code: '40P01' },
      { driverError: { errno: 1213 } },
      { code: 'P2034' },
      { code: 'P2010', meta: { driverAdapterError: { cause: { kind: 'TransactionWriteConflict' } } } },
      { cause: { originalCode: '1213', kind: 'mysql' } },
      { driverError: { code: 'SQLITE_BUSY_SNAPSHOT' } },
    ];
    const others = [
      itself,
      new Error('40001'),
      { code: '23505' },
      { code: 'P2028' },
      null,
      undefined,
      '40P01',
      { errno: 1062 },
    ];
    expect(transient.filter((error) => !isTransient(error))).toEqual([]);
    expect(others.filter((error) => isTransient(error))).toEqual([]);
  });
});
