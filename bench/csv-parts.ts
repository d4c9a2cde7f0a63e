/**
 * A CSV of 100 MB with quoted line ends, cut into 16 parts, and read part by part: the time to cut against the time to read
 * the whole file once, and whether each record came exactly once. Prints the records of the smallest and the largest part.
 *
 * `MB=1000 PARTS=100` sets other numbers.
 */
import { createWriteStream } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Json } from '../lib/cursor.js';
import { CsvEnumeratorBuilder } from '../lib/enumerators/csv/csv.enumerator.js';
import { readerOf } from '../test/support/pages.js';
import { report, spreadOf } from './figure.js';

const BYTES = Number(process.env.MB ?? 100) * 1_000_000;
const PARTS = Number(process.env.PARTS ?? 16);

const csv = new CsvEnumeratorBuilder();
const directory = await mkdtemp(join(tmpdir(), 'nestjs-iteration-csv-parts-'));
try {
  const path = join(directory, 'records.csv');
  await pipeline(Readable.from(chunks()), createWriteStream(path));
  const { size } = await stat(path);

  const whole = await timed(() => idsOf(path));
  const cut = await timed(() => csv.partitions(path, { count: PARTS }));
  const heap = process.memoryUsage().rss;
  const parts: number[][] = [];
  const read = await timed(async () => {
    for (const range of cut.result) parts.push(await idsOf(path, range));
  });

  const ids = parts.flat();
  const isExact =
    ids.length === whole.result.length && ids.every((id, index) => id === whole.result[index] && id === index);
  const lengths = parts.map(({ length }) => length);
  console.log(`${(size / 1e6).toFixed(0)} MB, ${ids.length} records, ${cut.result.length} parts`);
  console.log(`read whole ${seconds(whole.ms)}, cut ${seconds(cut.ms)}, read in parts ${seconds(read.ms)}`);
  console.log(
    `records a part: ${Math.min(...lengths)} to ${Math.max(...lengths)}; memory after the cut ${(heap / 1e6).toFixed(0)} MB`,
  );
  if (!isExact) throw new Error('a record is missing, or came twice');
  const ratio = spreadOf([cut.ms / whole.ms]);
  const against = `one read of the whole, ${seconds(whole.ms)}`;
  report({
    what: `cut a CSV of 100 MB into ${PARTS} parts`,
    ours: seconds(cut.ms),
    against,
    ratio,
    target: { atMost: 1.1 },
  });
} finally {
  await rm(directory, { recursive: true });
}

/** Records of about 130 bytes. Every other one has line ends and quotes in a quoted field, and characters of several bytes. */
function* chunks(): Generator<string> {
  yield '\ufeffid,name,note\r\n';
  for (let id = 0, bytes = 0; bytes < BYTES; ) {
    let text = '';
    for (let line = 0; line < 1_000; line++, id++) {
      const note =
        id % 2
          ? `"first ""line"" of ${id}\r\n${id},not,a record\r\n\n${'é'.repeat(id % 40)}"`
          : 'x'.repeat(60 + (id % 50));
      text += `${id},name of ${id} which is long,${note}\r\n`;
    }
    bytes += Buffer.byteLength(text);
    yield text;
  }
}

async function idsOf(path: string, range?: Json): Promise<number[]> {
  const reader = readerOf(csv.rows(path, { cursor: null, range }));
  const ids: number[] = [];
  try {
    for (let page = await reader.next(); page; page = await reader.next()) {
      for (const { id } of (page as { items: readonly Record<string, string>[] }).items) ids.push(Number(id));
    }
  } finally {
    await reader.close();
  }
  return ids;
}

async function timed<Result>(work: () => Promise<Result>): Promise<{ result: Result; ms: number }> {
  const start = performance.now();
  const result = await work();
  return { result, ms: performance.now() - start };
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
