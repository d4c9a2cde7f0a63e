import type { Page } from '../contract/index.js';
import { type CsvCursor, digest, type FileMark, TAIL_BYTES } from './fingerprint.js';
import type { Records } from './parser.js';
import type { RestOfFile } from './resume.js';

/** Records, and the byte after each. */
export interface CsvPage<Row> extends Page<Row, CsvCursor> {
  readonly offsets: readonly number[];
}

/** The parser keeps a few bytes to look ahead, so the first record of a chunk may end in the chunk before. */
const KEPT_BYTES = TAIL_BYTES + 4_096;

/** One page per chunk. */
export async function* pagesOf<Row>(
  { body, parser, head, tail, offset }: RestOfFile<Row>,
  until: number,
): AsyncGenerator<CsvPage<Row>, void, void> {
  let bytes = tail;
  let end = offset;
  while (!parser.stopped) {
    const chunk = await body.next();
    const records = parser.parse(chunk);
    if (chunk) bytes = Buffer.concat([bytes.subarray(-KEPT_BYTES), chunk]);
    if (chunk) head.add(chunk, end);
    end += chunk?.length ?? 0;
    const count = countUpTo(until, records.offsets);
    if (count > 0) yield page(records, { count, mark: head.mark, bytes, start: end - bytes.length });
    if (count < records.items.length || records.offsets.at(-1) === until) return;
    if (parser.failure) throw parser.failure.error; // only now, so that the records before it are handled
    if (!chunk) return;
  }
}

function countUpTo(until: number, offsets: readonly number[]): number {
  const beyond = offsets.findIndex((offset) => offset > until);
  return beyond === -1 ? offsets.length : beyond;
}

/** `bytes` start at the byte `start` of the file, and include what is before each record of the page. */
interface PageFacts {
  readonly count: number;
  readonly mark: FileMark;
  readonly bytes: Buffer;
  readonly start: number;
}

function page<Row>(
  { items, offsets, rows, lines }: Records<Row>,
  { count, mark, bytes, start }: PageFacts,
): CsvPage<Row> {
  return {
    items: count === items.length ? items : items.slice(0, count),
    offsets: count === offsets.length ? offsets : offsets.slice(0, count),
    cursorAt(index) {
      const [offset, row, line] = [offsets[index], rows[index], lines[index]] as [number, number, number];
      const tail = bytes.subarray(Math.max(0, offset - start - TAIL_BYTES), offset - start);
      return { offset, row, line, ...mark, tail: digest(tail) };
    },
    // The rest of a record's cursor changes when the file is appended to.
    isAt: (index, cursor) => cursor.offset === offsets[index],
  };
}
