import type { CsvCursor } from './fingerprint.js';
import type { ParserOptions } from './options.js';
import { CsvParser } from './parser.js';
import type { OpenCsv } from './resume.js';

/** Records are counted in a file of at most this size: 1 MB. */
const COUNTED_BYTES = 1_048_576;

/** Whether records can be counted without calling the user's functions. */
export function isCountable(options: ParserOptions): boolean {
  const { cast, cast_date: castDate, columns } = options;
  const casts = typeof cast === 'function' || typeof castDate === 'function';
  return (
    !options.on_record &&
    !(casts && options.skip_records_with_empty_values) &&
    !(typeof columns === 'function' && options.skip_records_with_error)
  );
}

/**
 * How many records a file has. Undefined when csv-parse refuses one, and when the file has more than {@link COUNTED_BYTES},
 * unless an option ends it before.
 */
export async function sizeOf({ body, csv, options }: OpenCsv): Promise<number | undefined> {
  const parser = new CsvParser(csv, countingOptions(options));
  let records = 0;
  for (let read = 0; read <= COUNTED_BYTES; ) {
    const chunk = await body.next();
    records += parser.parse(chunk).items.length;
    if (parser.failure) return undefined;
    if (!chunk || parser.stopped) return records;
    read += chunk.length;
  }
  return undefined;
}

/** How much of a file lies up to a cursor, by its bytes or by the option that ends it before. */
export function fractionOf(
  { offset, row, line, size }: CsvCursor,
  { to, to_line: toLine }: ParserOptions,
): number | undefined {
  if (!size) return undefined;
  return Math.min(1, Math.max(offset / size, row / limit(to), line / limit(toLine)));
}

/** How many of the records that csv-parse counts stand before the first one that is given out. */
export function countedBefore({ from }: ParserOptions): number {
  return limit(from, 1) - 1;
}

/** The options for finding the records without making them. The user's functions are called only if they decide what is one. */
export function cuttingOptions(options: ParserOptions): ParserOptions {
  const every = { ...options, on_record: undefined }; // it leaves records out only after they are counted
  return isCountable(every) ? countingOptions(every) : { ...options, on_skip: undefined };
}

/** The options without what changes records, not their number, and without the user's functions. */
function countingOptions(options: ParserOptions): ParserOptions {
  const named = typeof options.columns === 'function';
  return {
    ...options,
    ...(named && { columns: true, relax_column_count: true }),
    cast: undefined,
    cast_date: undefined,
    objname: undefined,
    on_skip: undefined,
    raw: undefined,
  };
}

/** As csv-parse reads it: -1 and what is left out are no limit. */
function limit(value: unknown, none = Number.POSITIVE_INFINITY): number {
  const limited = Number.parseInt(String(value), 10);
  return limited >= 1 ? limited : none;
}
