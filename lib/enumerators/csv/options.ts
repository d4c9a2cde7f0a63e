// biome-ignore lint/suspicious/noTsIgnore: it must hold with and without csv-parse
/** @ts-ignore csv-parse is an optional peer */
import type { Options as CsvParseOptions } from 'csv-parse';
import { InvalidOptionsError } from '../../iteration.errors.js';

/** Options of csv-parse by their own names. csv-parse accepts them in camel case too. */
export type ParserOptions = CsvParseOptions & { readonly [name: string]: unknown };

const PASSED_ON = `
  bom cast cast_date columns comment comment_no_infix delimiter encoding escape from from_line group_columns_by_name
  ignore_last_delimiters ltrim max_record_size objname on_record on_skip quote raw record_delimiter
  relax_column_count relax_column_count_less relax_column_count_more relax_quotes rtrim skip_empty_lines
  skip_records_with_empty_values skip_records_with_error to to_line trim`
  .trim()
  .split(/\s+/);

/** Options of csv-parse that cannot work in a run that starts in the middle of a file, and why. */
const REFUSED: Readonly<Record<string, string>> = {
  auto_parse: 'csv-parse no longer knows it. Use "cast"',
  auto_parse_date: 'csv-parse no longer knows it. Use "cast_date"',
  delimiter_auto:
    'it guesses from the part of the file that happens to have been read, so a resumed run could guess differently. ' +
    'Set "delimiter", which also takes a list',
  info: 'its byte counts would start where a run started. The cursor holds the byte and the row',
};

/** With these, csv-parse drops the rest of the chunk at an error, and its byte count is wrong from there on. */
const NOT_WITH_SKIPPED_ERRORS = ['max_record_size', 'rtrim', 'trim'];

/** A method of the builder. */
export interface Call {
  /** `csv.rows`, for error messages. */
  readonly name: string;
  /** Its options that are not csv-parse's. */
  readonly own: readonly string[];
}

/**
 * The options for csv-parse, with the defaults `columns: true` and `bom: true`.
 *
 * @throws InvalidOptionsError for an option that is unknown or cannot be resumed.
 */
export function parserOptions(options: object, { name: call, own }: Call): ParserOptions {
  const given: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(options)) {
    if (own.includes(key) || value === undefined) continue;
    const name = key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    const reason = Object.hasOwn(REFUSED, name) && REFUSED[name];
    if (reason && (value === false || value === null)) continue;
    if (reason) throw new InvalidOptionsError(`${call} cannot take "${key}": ${reason}`);
    if (!PASSED_ON.includes(name)) {
      throw new InvalidOptionsError(`${call} has no option "${key}". It has: ${[...own, ...PASSED_ON].join(', ')}`);
    }
    given[name] = value;
  }
  const lossy = given.skip_records_with_error && NOT_WITH_SKIPPED_ERRORS.find((name) => given[name]);
  if (lossy) {
    throw new InvalidOptionsError(
      `${call} cannot take "${lossy}" together with "skip_records_with_error": at such an error csv-parse also drops ` +
        'later records. Leave one of them out',
    );
  }
  return { bom: true, columns: true, ...given };
}
