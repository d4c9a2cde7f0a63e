import { writeFileSync } from 'node:fs';
import { appendFile } from 'node:fs/promises';
import type { Options } from 'csv-parse';
import fc from 'fast-check';
import { describe } from 'vitest';
import type { Enumerator, PartOptions } from '../../lib/enumerators/contract/index.js';
import { CsvEnumeratorBuilder, type CsvSource } from '../../lib/enumerators/csv/csv.enumerator.js';
import { chunked, temporaryFiles } from '../support/csv.js';
import { itCoversEveryItem, partsOf } from '../support/part-properties.js';
import { itResumesExactly, type Scenario } from '../support/resume-properties.js';

const csv = new CsvEnumeratorBuilder();
const path = temporaryFiles()('');

/** How a file is written. All options are random. */
interface Dialect {
  readonly encoding: 'utf8' | 'utf16le' | 'latin1';
  readonly bom: boolean;
  readonly header: boolean;
  readonly delimiter: string;
  /** Null if no field needs quotes. */
  readonly quote: string | null;
  readonly always: boolean;
  readonly end: string;
  /** Whether `record_delimiter` states the line end; otherwise the parser detects it. */
  readonly stated: boolean;
  /** Whether the file initially ends without a line end. */
  readonly open: boolean;
  /** Whether there are comments and empty lines between records. */
  readonly noise: boolean;
}

/** A file, what is appended to it after each run, and how it is read. */
interface Case {
  readonly dialect: Dialect;
  readonly width: number;
  readonly fields: readonly string[];
  /** The number of records that the file has at first; the others are appended later. */
  readonly written: number;
  readonly appended: readonly number[];
  readonly chunks: readonly number[];
  readonly stops: readonly number[];
  readonly batchSize: number;
}

interface CutScenario<Item> extends Scenario<Item> {
  build(at: PartOptions): Enumerator<Item>;
  source(): CsvSource;
  readonly options: Options;
}

type Kind = 'path' | 'Buffer' | 'stream';

const ODD = [
  '',
  '"',
  "'",
  ',',
  ';',
  '\t',
  '::',
  '\n',
  '\r\n',
  '\r',
  '#',
  ' ',
  '""',
  ',\n"',
  "'\r",
  '|',
  '||',
  '0',
  '\\',
  'é',
  'ÿ',
];
const WIDE = ['🙂', '漢', 'e\u0301', '👩‍👩‍👧‍👦', '\u{10ffff}'];

const dialects: fc.Arbitrary<Dialect> = fc.record({
  encoding: fc.constantFrom('utf8', 'utf8', 'utf16le', 'latin1'),
  bom: fc.boolean(),
  header: fc.boolean(),
  delimiter: fc.constantFrom(',', ';', '\t', '::'),
  quote: fc.constantFrom('"', '"', "'", null),
  always: fc.boolean(),
  end: fc.constantFrom('\n', '\r\n', '\r', '||'),
  stated: fc.boolean(),
  open: fc.boolean(),
  noise: fc.boolean(),
});

const cases: fc.Arbitrary<Case> = dialects.chain((dialect) => {
  const odd = dialect.encoding === 'latin1' ? ODD : [...ODD, ...WIDE];
  const field = fc.array(fc.oneof(fc.constantFrom(...odd), fc.string({ maxLength: 4 })), { maxLength: 3 });
  return fc.record({
    dialect: fc.constant(dialect),
    width: fc.integer({ min: 1, max: 3 }),
    fields: fc.array(
      field.map((parts) => parts.join('')),
      { minLength: 12, maxLength: 40, size: 'max' },
    ),
    written: fc.nat({ max: 12 }),
    appended: fc.array(fc.nat({ max: 4 }), { minLength: 2, maxLength: 5 }),
    chunks: fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 4 }),
    stops: fc.array(fc.nat({ max: 6 }), { minLength: 1, maxLength: 5 }),
    batchSize: fc.integer({ min: 1, max: 4 }),
  });
});

describe('csv', () => {
  for (const kind of ['path', 'Buffer', 'stream'] as const) {
    itResumesExactly(`csv.rows of a ${kind}, any dialect, appended between runs`, {
      source: 'csv.rows',
      database: kind,
      cases,
      begin: async (generated) =>
        begin(generated, kind, (source, { batchSize: _, ...options }) => csv.rows<unknown>(source, options)),
    });
  }

  itResumesExactly('csv.batches of any source and dialect, appended to', {
    source: 'csv.batches',
    database: 'any',
    cases: fc.tuple(cases, fc.constantFrom<Kind>('path', 'Buffer', 'stream')),
    records: (batch: readonly unknown[]) => batch,
    begin: async ([generated, kind]) =>
      begin(generated, kind, (source, options) => csv.batches<unknown>(source, options)),
  });
});

describe('parts of a csv', () => {
  for (const kind of ['path', 'Buffer', 'stream'] as const) {
    const numbers = { count: fc.integer({ min: 1, max: 6 }), stop: fc.integer({ min: 1, max: 4 }) };
    const generated = fc.record({ file: cases, ...numbers });
    itCoversEveryItem(`csv.rows of a ${kind}, any dialect, appended to after the cut`, {
      cases: generated,
      async begin({ file, count, stop }) {
        const scenario = begin(file, kind, (source, { batchSize: _, ...options }) =>
          csv.rows<unknown>(source, options),
        );
        const ranges = partsOf(await csv.partitions(scenario.source(), { count, ...scenario.options }));
        await scenario.model.change?.(0);
        return {
          ranges,
          stop,
          build: scenario.build,
          expected: () => scenario.model.rest(),
          async change(part) {
            if (part + 1 < ranges.length) await scenario.model.change?.(part + 1);
          },
        };
      },
    });
  }
});

function begin<Item>(
  { dialect: generated, width, fields, written, appended, chunks, stops, batchSize }: Case,
  kind: Kind,
  enumerate: (source: CsvSource, options: PartOptions & Options & { batchSize: number }) => Enumerator<Item>,
): CutScenario<Item> {
  // csv-parse makes a record of a UTF-16 file that is only a BOM.
  const bom =
    generated.bom &&
    generated.encoding !== 'latin1' &&
    (generated.header || Math.min(written, Math.floor(fields.length / width)) > 0);
  const dialect = { ...generated, bom };
  const file = textFile(dialect, width, fields);
  let count = Math.min(written, file.records.length);
  let content = file.upTo(count);
  let finished = 0;
  if (kind === 'path') writeFileSync(path, content);

  const source = (): CsvSource => (kind === 'path' ? path : kind === 'Buffer' ? content : chunked(content, ...chunks));
  return {
    stops,
    source,
    options: optionsOf(dialect),
    build: (at) => enumerate(source(), { ...at, batchSize, ...optionsOf(dialect) }),
    model: {
      rest: () => file.records.slice(finished, count),
      finish: (records) => {
        finished += records;
      },
      change: async (run) => {
        const before = content.length;
        count = Math.min(file.records.length, count + (appended[run] ?? 0));
        content = file.upTo(count);
        if (kind === 'path') await appendFile(path, content.subarray(before));
      },
    },
  };
}

function optionsOf({ encoding, bom, header, delimiter, quote, end, stated, noise }: Dialect): Options {
  const detected = !stated && end !== '||';
  return {
    delimiter,
    quote,
    columns: header,
    ...(!bom && { encoding }),
    ...(quote && { escape: quote }),
    ...(!detected && { record_delimiter: end }),
    ...(noise && { comment: '#', skip_empty_lines: true }),
  };
}

/** The bytes of the first `count` records, and the records that a reader should yield. */
function textFile(dialect: Dialect, width: number, fields: readonly string[]) {
  const { encoding, bom, header, end, open, noise, quote } = dialect;
  const written = quote ? fields : fields.map((field) => plain(field, dialect));
  const rows = Array.from({ length: Math.floor(written.length / width) }, (_, row) =>
    written.slice(row * width, (row + 1) * width),
  );
  const names = Array.from({ length: width }, (_, column) => plain(`${fields[column] ?? ''}${column}`, dialect));
  const lineOf = (row: readonly string[]) =>
    row.map((field) => quoted(field, dialect, row.length === 1)).join(dialect.delimiter);
  const noiseBefore = (row: number) => (noise ? [[], ['# "a', ''], [''], ['#', '# ,,']][row % 4] : []) as string[];
  return {
    records: header ? rows.map((row) => Object.fromEntries(row.map((field, column) => [names[column], field]))) : rows,
    upTo(count: number): Buffer {
      const lines = rows.slice(0, count).flatMap((row, index) => [...noiseBefore(index), lineOf(row)]);
      const all = header ? [lineOf(names), ...lines] : lines;
      const text = all.map((line, index) => (open && index === all.length - 1 ? line : `${line}${end}`)).join('');
      return Buffer.from(`${bom ? '\ufeff' : ''}${text}`, encoding);
    },
  };
}

/** A field that needs no quotes. */
function plain(field: string, { delimiter }: Dialect): string {
  return `${field.replace(/[\r\n"'#|,;\t:]/g, '')}${delimiter === ',' ? 'x' : 'ä'}`;
}

function quoted(field: string, { quote, always, delimiter, end }: Dialect, alone: boolean): string {
  if (!quote) return field;
  const needs =
    (alone && field === '') ||
    /[\r\n#]/.test(field) ||
    [quote, delimiter[0], end[0]].some((mark) => field.includes(mark as string));
  return always || needs ? `${quote}${field.replaceAll(quote, quote + quote)}${quote}` : field;
}
