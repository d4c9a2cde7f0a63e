import type { EntityManager } from 'typeorm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  type BuildContext,
  BuildEnumerator,
  EachIteration,
  EnumeratorBuilder,
  type IterationContext,
  IterativeProcessor,
  type TransactionHost,
  TypeOrmTransactionHost,
} from '../../lib/index.js';
import { iterate } from '../../lib/testing/index.js';
import { DATABASES, type TransactionDatabase } from '../support/transaction-worlds.js';

const { open } = DATABASES.find(({ database }) => database === 'sqlite') as TransactionDatabase;

@IterativeProcessor({ queue: 'jobs', transactions: TypeOrmTransactionHost, itemsPerTransaction: 3 })
class WriteEffects {
  @BuildEnumerator()
  build({ cursor }: BuildContext) {
    return new EnumeratorBuilder().times(7, { cursor });
  }

  @EachIteration()
  async each(id: number, { transaction }: IterationContext<unknown, EntityManager>) {
    await transaction.query(`INSERT INTO effect VALUES (${id}, 0)`);
  }
}

describe('iterate with transactions', () => {
  let world: Awaited<ReturnType<typeof open>>;
  beforeAll(async () => {
    world = await open();
  });
  beforeEach(() => world.query('DELETE FROM effect'));
  afterAll(() => world?.close());
  const host = () => world.host as TransactionHost<unknown>;

  it('R25: the writes and the items of a transaction that is rolled back are gone, and come once', async () => {
    const flaky = new Set([1, 4]);
    const failAt = (index: number) => (flaky.delete(index) ? new Error('rolled back') : undefined);
    const { cursors, items, state } = await iterate(new WriteEffects(), { transactions: host(), failAt, attempts: 2 });
    expect([state, items, cursors]).toEqual(['completed', [0, 1, 2, 3, 4, 5, 6], [0, 1, 2, 3, 4, 5, 6]]);
    expect(await world.effects()).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(await world.query('SELECT * FROM iteration_checkpoint')).toEqual([]);
  });

  it('R25: items of a transaction that is rolled back do not count for interruptAfter', async () => {
    const flaky = new Set([1]);
    const failAt = (index: number) => (flaky.delete(index) ? new Error('rolled back') : undefined);
    const { runs } = await iterate(new WriteEffects(), {
      transactions: host(),
      failAt,
      attempts: 2,
      interruptAfter: 4,
    });
    expect(runs.map(({ items, ended }) => `${items} ${ended}`)).toEqual(['4 interrupt', '3 complete']);
  });

  it('R25: a job that fails leaves what was committed before', async () => {
    const failed = await iterate(new WriteEffects(), { transactions: host(), failAt: new Map([[4, new Error('no')]]) });
    expect(failed).toMatchObject({ state: 'failed', items: [0, 1, 2, 3], checkpoints: [3] });
    expect(await world.effects()).toEqual([0, 1, 2, 3]);
  });
});
