/**
 * What reading a page ahead gains: a job over `enumerators.keyset` of `pg` as it is, against the same source page by
 * page. With a handler that does nothing, which gains little and must lose nothing; with handlers that compute or wait
 * for about as long as a page takes to load; and with a handler that waits 10 ms per page, for pages that take 10 ms
 * longer to load. Interleaved, medians of five rounds.
 *
 * `ROWS=100000` rows by default; a tenth of them with slow pages. `REDIS_URL` and `DATABASE_URL` name the servers; the
 * bench creates and drops its own database there.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { type Source, SourceEnumerator, sourceLike, sourceOf } from '../lib/enumerators/contract/index.js';
import {
  type BuildContext,
  BuildEnumerator,
  type Cursor,
  EachIteration,
  type Enumerator,
  EnumeratorBuilder,
  type IterationContext,
  IterativeProcessor,
} from '../lib/index.js';
import { createDatabase } from '../test/support/database.js';
import { QUEUE, startApp } from './app.js';
import { jobOver } from './contender.js';
import { createEntries, Entries, type Entry, PAGE } from './entries.js';
import { report } from './figure.js';
import { interleaved } from './interleaved.js';

const ROWS = Number(process.env.ROWS ?? 100_000);
const ROUNDS = 5;
const SLOW = { rows: ROWS / 10, pageSize: 100, pageMs: 10 };

interface Reading {
  readonly ahead: boolean;
  readonly rows: number;
  readonly pageSize: number;
  /** Delay of a page, in addition to the database. */
  readonly slowMs?: number;
  /** Time that the handler spends on the rows of a page. */
  readonly pageMs: number;
}

const database = await createDatabase();
await createEntries(database, ROWS);
const entries = new Entries(database.url);

@Injectable()
abstract class Rows {
  constructor(private readonly enumerators: EnumeratorBuilder) {}

  @BuildEnumerator()
  build({ cursor, data: { ahead, pageSize, rows, slowMs } }: BuildContext<Reading, number>) {
    const keyset = this.enumerators.keyset<Entry, number>({
      cursor,
      pageSize,
      fetch: async (after, limit) => {
        if (slowMs) await delay(slowMs);
        return entries.page(after ?? 0, { last: rows, limit });
      },
      key: ({ id }) => id,
    });
    return ahead ? keyset : pageByPage(keyset);
  }
}

@IterativeProcessor({ queue: QUEUE, name: 'does nothing' })
class DoesNothing extends Rows {
  @EachIteration()
  each(_entry: Entry) {}
}

@IterativeProcessor({ queue: QUEUE, name: 'computes' })
class Computes extends Rows {
  @EachIteration()
  each(_entry: Entry, { data }: IterationContext<Reading>) {
    const end = performance.now() + data.pageMs / data.pageSize;
    while (performance.now() < end);
  }
}

@IterativeProcessor({ queue: QUEUE, name: 'waits' })
class Waits extends Rows {
  @EachIteration()
  each({ id }: Entry, { data }: IterationContext<Reading>): Promise<void> | void {
    if (id % data.pageSize === 0) return delay(data.pageMs);
  }
}

const app = await startApp([DoesNothing, Computes, Waits]);
try {
  const pageMs = await millisecondsOfPage();
  const asFound = { rows: ROWS, pageSize: PAGE, pageMs };
  await compare('does nothing', asFound);
  await compare('computes', asFound);
  await compare('waits', asFound);
  await compare('waits', { ...SLOW, slowMs: SLOW.pageMs });
} finally {
  await app.close();
  await entries.close();
  await database.drop();
}

async function compare(name: string, reading: Omit<Reading, 'ahead'>): Promise<void> {
  const rounds = await interleaved(
    {
      ahead: jobOver(reading.rows, app, name, { ...reading, ahead: true }),
      'page by page': jobOver(reading.rows, app, name, { ...reading, ahead: false }),
    },
    ROUNDS,
  );
  const pages = reading.slowMs ? `slow pages of ${reading.pageSize}` : `pages of ${reading.pageSize}`;
  const handler = name === 'does nothing' ? name : `${name} ${reading.pageMs.toFixed(1)} ms a page`;
  const what = `a page ahead, ${pages}, handler ${handler}`;
  report(rounds.rates(what, { ours: 'ahead', against: 'page by page', items: reading.rows, unit: 'rows' }));
}

/** The same rows, but the next page is read only after the rows of the last page are finished. */
function pageByPage<Item, C extends Cursor>(keyset: Enumerator<Item, C>): Enumerator<Item, C> {
  const { cursor, source } = sourceOf(keyset);
  const read: Source<Item, C>['read'] = (bounds) => ({ ...source.read(bounds), ahead: false });
  return new SourceEnumerator(sourceLike(source, { read }), cursor);
}

async function millisecondsOfPage(): Promise<number> {
  for (let warmUp = 0; warmUp < 2; warmUp++) await entries.over(ROWS, () => {});
  const began = performance.now();
  await entries.over(ROWS, () => {});
  return (performance.now() - began) / (ROWS / PAGE);
}
