/**
 * The throughput of `prisma.records` against a bare keyset loop of Prisma by id (target >= 0.90), over 300,000 rows in pages
 * of 1,000; DateTime keys apart, which are exact to the microsecond and so ask SQL too: once a page, and more where rows share the
 * millisecond at its end. Interleaved, medians of five rounds.
 *
 * `DATABASE_URL` names the PostgreSQL server; the bench makes and drops a database of its own there.
 */
import { readFileSync } from 'node:fs';
import { PrismaPg } from '@prisma/adapter-pg';
import type { Enumerator } from '../lib/enumerators/contract/index.js';
import { PrismaEnumeratorBuilder } from '../lib/enumerators/prisma/prisma.enumerator.js';
import { createDatabase } from '../test/support/database.js';
import { readerOf } from '../test/support/pages.js';
import { type Entry, PrismaClient } from '../test/support/prisma/generated/client.js';
import { interleaved } from './interleaved.js';

const ROWS = Number(process.env.BENCH_ROWS ?? 300_000);
const PAGE = 1_000;

const database = await createDatabase();
const prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString: database.url }) });
try {
  await database.query(readFileSync('test/support/prisma/schema.sql', 'utf8'));
  await database.query('CREATE INDEX ON "Entry" ("createdAt", id)');
  const builder = new PrismaEnumeratorBuilder();

  async function bare(): Promise<number> {
    let count = 0;
    for (let after = 0; ; ) {
      const page = await prisma.entry.findMany({ where: { id: { gt: after } }, orderBy: { id: 'asc' }, take: PAGE });
      for (const row of page) {
        after = row.id;
        count++;
      }
      if (page.length < PAGE) return count;
    }
  }

  const read = async <Item>(enumerator: Enumerator<Item>, rowsOf: (item: Item) => number): Promise<number> => {
    let count = 0;
    const reader = readerOf(enumerator); // by pages, as a run does
    for (let page = await reader.next(); page; page = await reader.next()) {
      for (const item of page.items) count += rowsOf(item);
    }
    await reader.close();
    return count;
  };
  const records = (key?: string) =>
    read<Entry>(builder.records(prisma.entry, {}, { cursor: null, key, pageSize: PAGE }), () => 1);
  const checked = (name: string, run: () => Promise<number>) => async () => {
    const count = await run();
    if (count !== ROWS) throw new Error(`${name} gave ${count} rows of ${ROWS}`);
  };

  for (const [apart, contenders] of [
    ['10 milliseconds', { 'records by id': () => records(), 'records by createdAt': () => records('createdAt') }],
    ['100 microseconds', { 'records by createdAt': () => records('createdAt') }],
  ] as const) {
    await database.query('TRUNCATE "Entry"');
    await database.query(
      `INSERT INTO "Entry" SELECT n, 'name ' || n, now() + n * interval '${apart}' FROM generate_series(1, ${ROWS}) n`,
    );
    await database.query('VACUUM ANALYZE "Entry"');
    const all: Record<string, () => Promise<number>> = { bare, ...contenders };
    const runs = Object.entries(all).map(([name, run]) => [name, checked(name, run)] as const);
    const seconds = await interleaved(Object.fromEntries(runs));
    console.log(`rows ${apart} apart`);
    for (const [name, taken] of Object.entries(seconds)) {
      const ratio = ((seconds.bare as number) / taken).toFixed(2);
      console.log(`  ${name}: ${Math.round(ROWS / taken)} rows/s, ${ratio} of a bare loop by id`);
    }
  }
} finally {
  await prisma.$disconnect();
  await database.drop();
}
