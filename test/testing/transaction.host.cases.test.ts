import { describe, expect, it } from 'vitest';
import type { CheckpointKey, Committed, Holder, TransactionHost } from '../../lib/index.js';
import { transactionHostCases } from '../../lib/testing/index.js';

interface Row extends Holder {
  readonly document: string | null;
}

/** Both tables of a database in memory. */
class Database {
  constructor(
    readonly rows: ReadonlyMap<string, Row> = new Map(),
    readonly effects: readonly number[] = [],
  ) {}
}

type Transaction = { rows: Map<string, Row>; effects: number[] };

/** A transaction host of a database in memory. Its transactions run one after another. */
class MemoryHost implements TransactionHost<Transaction> {
  database = new Database();
  #last: Promise<unknown> = Promise.resolve();

  run<Result>(work: (transaction: Transaction) => Promise<Result>): Promise<Result> {
    const result = this.#last.then(async () => {
      const transaction = { rows: new Map(this.database.rows), effects: [...this.database.effects] };
      const returned = await work(transaction);
      this.database = new Database(transaction.rows, transaction.effects);
      return returned;
    });
    this.#last = result.catch(() => {});
    return result;
  }

  claim(key: CheckpointKey, holder: Holder): Promise<Committed | undefined> {
    return this.run(async ({ rows }) => {
      const row = rows.get(this.nameOf(key));
      if (row && !this.isLater(holder, row)) return undefined;
      const document = row?.life === holder.life ? row.document : null;
      rows.set(this.nameOf(key), { ...holder, document });
      return { document };
    });
  }

  async save(
    { rows }: Transaction,
    { key, holder, document }: { key: CheckpointKey; holder: Holder; document: string },
  ): Promise<boolean> {
    if (!this.isHeld(rows.get(this.nameOf(key)), holder)) return false;
    rows.set(this.nameOf(key), { ...holder, document });
    return true;
  }

  async read(key: CheckpointKey, holder: Holder): Promise<Committed | undefined> {
    const row = this.database.rows.get(this.nameOf(key));
    return row && this.isHeld(row, holder) ? { document: row.document } : undefined;
  }

  remove(key: CheckpointKey, holder: Holder): Promise<void> {
    return this.run(async ({ rows }) => {
      if (this.isHeld(rows.get(this.nameOf(key)), holder)) rows.delete(this.nameOf(key));
    });
  }

  isTransient(_: unknown): boolean {
    return false;
  }

  nameOf(key: CheckpointKey): string {
    return JSON.stringify([key.prefix, key.queue, key.jobId, key.jobTimestamp]);
  }

  isHeld(row: Row | undefined, { life, run }: Holder): boolean {
    return row?.life === life && row.run === run;
  }

  isLater(holder: Holder, row: Row): boolean {
    return holder.life > row.life || (holder.life === row.life && holder.run > row.run);
  }
}

/** Hosts that break a promise, and which cases find them. */
const BROKEN: readonly (readonly [string, new () => MemoryHost, readonly RegExp[]])[] = [
  [
    'forgets the document',
    class extends MemoryHost {
      override async save(...[transaction, place]: Parameters<MemoryHost['save']>) {
        return super.save(transaction, { ...place, document: place.document.slice(0, 10) });
      }
    },
    [/commits a handler's writes/, /distinguishes jobs/],
  ],
  [
    'keeps the writes of a failed transaction',
    class extends MemoryHost {
      override run<Result>(work: (transaction: Transaction) => Promise<Result>): Promise<Result> {
        return super.run(async (transaction) => {
          try {
            return await work(transaction);
          } catch (error) {
            this.database = new Database(this.database.rows, transaction.effects);
            throw error;
          }
        });
      }
    },
    [/rolls back writes/, /refuses an old holder/, /after another rolled back/],
  ],
  [
    'wraps the error of the handler',
    class extends MemoryHost {
      override async run<Result>(work: (transaction: Transaction) => Promise<Result>): Promise<Result> {
        return super.run(work).catch((cause) => {
          throw new Error('rolled back', { cause });
        });
      }
    },
    [/rolls back writes.*rejects with its error/],
  ],
  [
    'takes every error as transient',
    class extends MemoryHost {
      override isTransient() {
        return true;
      }
    },
    [/rolls back writes/],
  ],
  [
    'lets an old holder save',
    class extends MemoryHost {
      override isHeld(row: Row | undefined) {
        return row !== undefined;
      }
    },
    [/refuses an old holder/, /remove\(\) deletes only/],
  ],
  [
    'grants a row to any run',
    class extends MemoryHost {
      override isLater() {
        return true;
      }
    },
    [/only to a later run/, /exactly one of several runs/],
  ],
  [
    'ignores the case of ids',
    class extends MemoryHost {
      override nameOf(key: CheckpointKey) {
        return super.nameOf(key).toLowerCase();
      }
    },
    [/distinguishes jobs/],
  ],
];

async function failuresOf(host: MemoryHost): Promise<readonly string[]> {
  const cases = transactionHostCases<Transaction>(() => ({
    host,
    write: async ({ effects }, id) => effects.push(id),
    written: async () => host.database.effects,
  }));
  const failed: string[] = [];
  for (const { name, run } of cases) await run().catch(() => failed.push(name));
  return failed;
}

describe('transactionHostCases', () => {
  it('R25: a host that keeps its promises passes every case', async () => {
    expect(await failuresOf(new MemoryHost())).toEqual([]);
  });

  it.each(BROKEN)('R25: finds a host that %s', async (_, Host, cases) => {
    const failed = await failuresOf(new Host());
    expect(cases.filter((name) => !failed.some((each) => name.test(each)))).toEqual([]);
  });

  it('R25: each case finds a broken host', () => {
    const names = transactionHostCases(() => new Error() as never).map(({ name }) => name);
    const found = BROKEN.flatMap(([, , cases]) => cases);
    expect(names.filter((name) => !found.some((each) => each.test(name)))).toEqual([]);
  });
});
