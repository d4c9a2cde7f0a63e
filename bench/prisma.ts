/**
 * A whole job over `prisma.records`, with a handler that does nothing, against the bare Prisma loop by id (target >=
 * 0.90 of its speed), in pages of 1,000. The same by a DateTime: against the bare loop by id, and against Prisma's own
 * cursor over the same key, which fails when the row that it names is deleted. Prisma's default DateTime has
 * milliseconds, and Prisma alone reads it. Prisma cuts microseconds to milliseconds: an exact page takes a second
 * statement, and more statements when rows share the millisecond at its end. Interleaved, medians of thirty-one rounds;
 * fifteen rounds by a DateTime, five by one with microseconds.
 *
 * `ROWS=300000` rows by default. `REDIS_URL` and `DATABASE_URL` name the servers; the bench creates and drops its own
 * database there.
 */
import { readFileSync } from 'node:fs';
import { PrismaPg } from '@prisma/adapter-pg';
import {
  type BuildContext,
  BuildEnumerator,
  EachIteration,
  EnumeratorBuilder,
  IterativeProcessor,
} from '../lib/index.js';
import { createDatabase } from '../test/support/database.js';
import { type Entry, PrismaClient } from '../test/support/prisma/generated/client.js';
import { QUEUE, startApp } from './app.js';
import { counted, jobOver } from './contender.js';
import { report } from './figure.js';
import { interleaved } from './interleaved.js';

const ROWS = Number(process.env.ROWS ?? 300_000);
const PAGE = 1_000;

const database = await createDatabase();
const prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString: database.url }) });

@IterativeProcessor({ queue: QUEUE, name: 'records' })
class Records {
  constructor(private readonly enumerators: EnumeratorBuilder) {}

  @BuildEnumerator()
  build({ cursor, data: { key } }: BuildContext<{ key?: string }>) {
    return this.enumerators.prisma.records(prisma.entry, {}, { cursor, key, pageSize: PAGE });
  }

  @EachIteration()
  each(_row: Entry) {}
}

function handle(_row: Entry): void {}

async function bareById(): Promise<number> {
  let count = 0;
  for (let after = 0; ; ) {
    const page = await prisma.entry.findMany({ where: { id: { gt: after } }, orderBy: { id: 'asc' }, take: PAGE });
    for (const row of page) {
      handle(row);
      count++;
    }
    if (page.length < PAGE) return count;
    after = (page[PAGE - 1] as Entry).id;
  }
}

async function bareByDateTime(): Promise<number> {
  let count = 0;
  for (let after: { skip: number; cursor: { id: number } } | undefined; ; ) {
    const page: Entry[] = await prisma.entry.findMany({
      ...after,
      orderBy: [{ createdAt: 'asc' }, { id: 'asc' }],
      take: PAGE,
    });
    for (const row of page) {
      handle(row);
      count++;
    }
    if (page.length < PAGE) return count;
    after = { skip: 1, cursor: { id: (page[PAGE - 1] as Entry).id } };
  }
}

const app = await startApp([Records]);
try {
  await database.query(readFileSync('test/support/prisma/schema.sql', 'utf8'));
  await database.query('CREATE INDEX ON "Entry" ("createdAt", id)');
  await insertRows('10 milliseconds');
  await compareById();
  await compareByDateTime('DateTime of microseconds, rows 10 milliseconds apart');
  await insertRows('100 microseconds');
  await compareByDateTime('DateTime of microseconds, rows 100 microseconds apart');
  // The table decides, not the model: `prisma migrate` makes this column of a plain DateTime.
  await database.query('ALTER TABLE "Entry" ALTER "createdAt" TYPE timestamp(3)');
  await insertRows('10 milliseconds');
  await compareByDateTime('default DateTime, rows 10 milliseconds apart', 15);
} finally {
  await app.close();
  await prisma.$disconnect();
  await database.drop();
}

async function insertRows(apart: string): Promise<void> {
  await database.query('TRUNCATE "Entry"');
  await database.query(
    `INSERT INTO "Entry" SELECT n, 'name ' || n, now() + n * interval '${apart}' FROM generate_series(1, ${ROWS}) n`,
  );
  await database.query('VACUUM ANALYZE "Entry"');
}

async function compareById(): Promise<void> {
  const rounds = await interleaved({ bare: counted(ROWS, bareById), ours: jobOver(ROWS, app, 'records') }, 31);
  report(
    rounds.rates('a job over prisma.records by id', {
      ...{ ours: 'ours', against: 'bare', name: 'bare Prisma loop by id', items: ROWS, unit: 'rows' },
      target: { atLeast: 0.9 },
    }),
  );
}

async function compareByDateTime(key: string, times = 5): Promise<void> {
  const contenders = {
    bareById: counted(ROWS, bareById),
    bareByDateTime: counted(ROWS, bareByDateTime),
    ours: jobOver(ROWS, app, 'records', { key: 'createdAt' }),
  };
  const rounds = await interleaved(contenders, times);
  const what = `a job over prisma.records by ${key}`;
  const rows = { ours: 'ours', items: ROWS, unit: 'rows' } as const;
  report(rounds.rates(what, { ...rows, against: 'bareByDateTime', name: "bare loop by Prisma's cursor" }));
  report(rounds.rates(what, { ...rows, against: 'bareById', name: 'bare Prisma loop by id' }));
}
