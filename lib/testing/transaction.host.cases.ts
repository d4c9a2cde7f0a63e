import assert from 'node:assert/strict';
import { randomInt, randomUUID } from 'node:crypto';
import type { CheckpointKey, Committed, Holder, TransactionHost } from '../definition/index.js';

/** A transaction host, and a table of its database that tests write to. */
export interface TransactionHostWorld<Transaction> {
  readonly host: TransactionHost<Transaction>;
  /** Writes a row with this number, as a handler does by `context.transaction`. */
  write(transaction: Transaction, id: number): Promise<unknown>;
  /** The numbers of all rows that are committed. */
  written(): Promise<readonly number[]>;
}

/** One thing that a transaction host promises. */
export interface ContractCase {
  readonly name: string;
  /** Rejects with what the host did instead. */
  readonly run: () => Promise<void>;
}

type Case = <Transaction>(suite: Suite<Transaction>) => Promise<void>;

/**
 * What every `TransactionHost` promises ([R25](docs/guarantees.md#r25)), as cases for any test framework:
 * `for (const { name, run } of transactionHostCases(() => world)) it(name, run)`. Rows and jobs of a case are its own, so one
 * database serves all of them.
 *
 * @param world Called at the beginning of each case.
 */
export function transactionHostCases<Transaction>(
  world: () => TransactionHostWorld<Transaction> | Promise<TransactionHostWorld<Transaction>>,
): readonly ContractCase[] {
  return Object.entries(CASES).map(([name, run]) => ({ name, run: async () => run(new Suite(await world())) }));
}

/** Every class of character in JSON, and as large as a checkpoint may become. */
const LARGE = JSON.stringify({ cursor: '\u0000\ud83d\ude00 ß \' " \\ % ? $1 :a', filling: 'é'.repeat(20_000) });
const ODD = ['a', 'A', 'a ', ' a', 'á', 'a\u0301', 'ss', 'ß', '%', "'", '"', '\\', '?', '$1', ':a', '\n', '😀', ''];
const REFUSED = new Error('save() returned false');

const CASES: Readonly<Record<string, Case>> = {
  "R25: run() commits a handler's writes with the document, and returns its result": async (suite) => {
    const key = suite.newKey();
    assert.deepEqual(await suite.host.claim(key, at(1)), { document: null }, 'claim() of a new row');
    const id = suite.newId();
    assert.equal(await suite.commit(key, at(1), LARGE, id), 'result', 'what run() returns');
    assert.deepEqual(await suite.host.read(key, at(1)), { document: LARGE }, 'the committed document');
    await suite.assertWritten({ [id]: true });
  },

  'R25: run() rolls back writes and document if the handler fails, and rejects with its error': async (suite) => {
    const { host } = suite;
    const [key, first, second] = [suite.newKey(), suite.newId(), suite.newId()];
    await host.claim(key, at(1));
    await suite.commit(key, at(1), '1', first);
    const failure = new Error('the handler failed');
    const failing = host.run(async (transaction) => {
      await suite.world.write(transaction, second);
      await host.save(transaction, { key, holder: at(1), document: '2' });
      throw failure;
    });
    await assert.rejects(failing, (error) => error === failure, 'run() rejects with the error itself');
    assert.deepEqual(await host.read(key, at(1)), { document: '1' }, 'the document after the rollback');
    await suite.assertWritten({ [first]: true, [second]: false });
    assert.equal(host.isTransient(failure), false, 'isTransient() of any error');
  },

  'R25: save() refuses an old holder, whose writes roll back': async (suite) => {
    const { host } = suite;
    const [key, first, zombie, third] = [suite.newKey(), suite.newId(), suite.newId(), suite.newId()];
    await host.claim(key, at(1));
    await suite.commit(key, at(1), 'a', first);
    assert.deepEqual(await host.claim(key, at(2)), { document: 'a' }, 'claim() of a later run');
    await suite.assertRefused(key, at(1), zombie);
    assert.equal(await host.read(key, at(1)), undefined, 'read() of the old holder');
    assert.deepEqual(await host.read(key, at(2)), { document: 'a' }, 'the document of the new holder');
    await suite.commit(key, at(2), 'b', third);
    await suite.assertWritten({ [first]: true, [zombie]: false, [third]: true });
  },

  'R25: claim() grants a row only to a later run, of the same or a later life; a new life has no document': async (
    suite,
  ) => {
    const key = suite.newKey();
    const claims: (Committed['document'] | undefined)[] = [];
    const holders = [at(2), at(1), at(2), at(3), at(1, 1), at(4), at(1, 1), at(2, 1)];
    for (const holder of holders) {
      claims.push((await suite.host.claim(key, holder))?.document);
      const document = `${holder.life}.${holder.run}`;
      await suite.commit(key, holder, document, suite.newId()).catch(refusal);
    }
    assert.deepEqual(claims, [null, undefined, undefined, '0.2', null, undefined, undefined, '1.1']);
  },

  'R25: claim() grants the row to exactly one of several runs with the same number': async (suite) => {
    for (let round = 0; round < 20; round++) {
      const key = suite.newKey();
      if (round % 2) await suite.host.claim(key, at(1));
      const claims = await Promise.all([1, 2, 3].map(() => suite.host.claim(key, at(2))));
      assert.deepEqual(
        claims.filter((claim) => claim !== undefined),
        [{ document: null }],
      );
    }
  },

  'R25: a host distinguishes jobs by every character of their keys': async (suite) => {
    const of = suite.newKey();
    const keys = ODD.flatMap((text) => [
      { ...of, jobId: `${of.jobId} id ${text}` },
      { ...of, queue: `q${text}` },
      { ...of, prefix: `{b${text}}` },
    ]);
    keys.push({ ...(keys[0] as CheckpointKey), jobTimestamp: 2 ** 45 });
    for (const key of keys) {
      assert.deepEqual(await suite.host.claim(key, at(1)), { document: null }, `claim() of ${JSON.stringify(key)}`);
      await suite.commit(key, at(1), JSON.stringify(key), suite.newId());
    }
    for (const key of keys) assert.deepEqual(await suite.host.read(key, at(1)), { document: JSON.stringify(key) });
  },

  'R25: remove() deletes only the row of its own run': async (suite) => {
    const { host } = suite;
    const key = suite.newKey();
    await host.claim(key, at(2));
    await host.remove(key, at(1));
    assert.deepEqual(await host.read(key, at(2)), { document: null }, 'after remove() of another run');
    await host.remove(key, at(2));
    assert.equal(await host.read(key, at(2)), undefined, 'after remove() of its own run');
    await suite.assertRefused(key, at(2), suite.newId());
    assert.deepEqual(await host.claim(key, at(1)), { document: null }, 'claim() of a removed row');
  },

  'R25: a transaction succeeds on the same connection after another rolled back': async (suite) => {
    const key = suite.newKey();
    await suite.host.claim(key, at(1));
    const written: Record<number, boolean> = {};
    for (let index = 0; index < 30; index++) {
      const isHeld = index % 3 > 0;
      const id = suite.newId();
      written[id] = isHeld;
      await suite.commit(key, at(isHeld ? 1 : 0), String(index), id).catch(refusal);
    }
    assert.deepEqual(await suite.host.read(key, at(1)), { document: '29' });
    await suite.assertWritten(written);
  },
};

/** The database of one case, and what only that case has written there. */
class Suite<Transaction> {
  readonly host: TransactionHost<Transaction>;
  #id = randomInt(1, 2 ** 30);

  constructor(readonly world: TransactionHostWorld<Transaction>) {
    this.host = world.host;
  }

  newKey(): CheckpointKey {
    return { prefix: 'bull', queue: 'contract', jobId: randomUUID(), jobTimestamp: 1_795_305_600_000 };
  }

  newId(): number {
    return this.#id++;
  }

  /** One transaction with a write and a document. */
  commit(key: CheckpointKey, holder: Holder, document: string, id: number): Promise<string> {
    return this.host.run(async (transaction) => {
      await this.world.write(transaction, id);
      if (!(await this.host.save(transaction, { key, holder, document }))) throw REFUSED;
      return 'result';
    });
  }

  async assertRefused(key: CheckpointKey, holder: Holder, id: number): Promise<void> {
    const committing = this.commit(key, holder, 'refused', id);
    await assert.rejects(committing, (error) => error === REFUSED, `save() must return false for run ${holder.run}`);
  }

  async assertWritten(expected: Readonly<Record<number, boolean>>): Promise<void> {
    const all = new Set(await this.world.written());
    const actual = Object.fromEntries(Object.keys(expected).map((id) => [id, all.has(Number(id))]));
    assert.deepEqual(actual, expected, 'which rows are committed');
  }
}

function at(run: number, life = 0): Holder {
  return { life, run };
}

/** Ignores the host's refusal of a commit. */
function refusal(error: unknown): void {
  if (error !== REFUSED) throw error;
}
