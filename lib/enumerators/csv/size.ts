import type { CsvCursor } from './fingerprint.js';
import type { ParserOptions } from './options.js';
import { CsvParser, type Records } from './parser.js';
import type { OpenCsv } from './resume.js';

/** So much of a file is parsed to count its records. */
export const SAMPLE_BYTES = 1_048_576;

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

/** How much of a file lies up to a cursor, by its bytes or by the option that ends it before. */
export function fractionOf(
  { offset, row, line, size }: CsvCursor,
  { to, to_line: toLine }: ParserOptions,
): number | undefined {
  if (!size) return undefined;
  return Math.min(1, Math.max(offset / size, row / limit(to), line / limit(toLine)));
}

/** How many of the records that csv-parse counts stand before the first one that is handed out. */
export function countedBefore({ from }: ParserOptions): number {
  return limit(from, 1) - 1;
}

/**
 * How many records a file has: exact when it has at most {@link SAMPLE_BYTES}, or ends there by an option; else an estimate
 * by what is in them. Undefined when csv-parse refuses them, or they hold too few records to tell.
 *
 * @param asked.exact Whether an estimate will not do: it is undefined then.
 */
export async function sizeOf(
  { bytes, body, csv, options }: OpenCsv,
  asked?: { readonly exact: boolean },
): Promise<number | undefined> {
  const parser = new CsvParser(csv, countingOptions(options));
  const before = countedBefore(options);
  let first: Place | undefined;
  let last: Place | undefined;
  for (let read = 0; ; ) {
    const chunk = await body.next();
    read += chunk?.length ?? 0;
    if (chunk && read > SAMPLE_BYTES) {
      if (asked?.exact || !first || !last) return undefined;
      return estimate({ first, last, size: bytes.size ?? 0, options });
    }
    const records = parser.parse(chunk);
    if (parser.failure) return undefined;
    first ??= placeOf(records, 0);
    last = placeOf(records, -1) ?? last;
    if (!chunk || parser.stopped) return Math.max(0, (last?.row ?? 0) - before);
  }
}

/** Where a record ends. */
interface Place {
  readonly offset: number;
  readonly row: number;
  readonly line: number;
}

interface Sample {
  readonly first: Place;
  readonly last: Place;
  /** Of the file, in bytes. */
  readonly size: number;
  readonly options: ParserOptions;
}

/** As if the rest were like the records from the first to the last one of the sample. */
function estimate({ first, last, size, options }: Sample): number | undefined {
  const records = last.row - first.row;
  if (records === 0) return undefined;
  const inBytes = last.row + ((size - last.offset) / (last.offset - first.offset)) * records;
  const lines = last.line - first.line; // none where records end otherwise; csv-parse never comes to a line then
  const inLines = lines > 0 ? last.row + ((limit(options.to_line) - last.line) / lines) * records : inBytes;
  return Math.max(0, Math.round(Math.min(inBytes, inLines, limit(options.to))) - countedBefore(options));
}

/** The options without what changes records, not their number, and without the user's functions. */
function countingOptions(options: ParserOptions): ParserOptions {
  const named = typeof options.columns === 'function';
  return {
    ...options,
    ...(named && { columns: true, relax_column_count: true }),
    from: 1,
    cast: undefined,
    cast_date: undefined,
    objname: undefined,
    on_skip: undefined,
    raw: undefined,
  };
}

function placeOf({ offsets, rows, lines }: Records<unknown>, index: number): Place | undefined {
  const [offset, row, line] = [offsets.at(index), rows.at(index), lines.at(index)];
  return offset === undefined ? undefined : { offset, row: row as number, line: line as number };
}

/** As csv-parse reads it: -1 and what is left out are no limit. */
function limit(value: unknown, none = Number.POSITIVE_INFINITY): number {
  const limited = Number.parseInt(String(value), 10);
  return limited >= 1 ? limited : none;
}
