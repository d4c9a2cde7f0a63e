import type { Options } from 'csv-parse';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Json } from '../../lib/cursor.js';
import { CsvEnumeratorBuilder } from '../../lib/enumerators/csv/csv.enumerator.js';
import { CASES_IN_MEMORY } from '../support/cases.js';
import { chunked } from '../support/csv.js';

const csv = new CsvEnumeratorBuilder();
const MARKS = ['\n', '\r', '\r\n', '|', '||', '|\n', ';', 'ab', 'b'];
const SEED = Number(process.env.PROPERTY_SEED ?? 20_261_128);

const cases = fc.record({
  text: fc.array(fc.constantFrom(...MARKS, ',', ',', 'a', '1', '2', ' ', '"', '""', '#', 'é'), { maxLength: 24 }),
  bom: fc.constantFrom('', '', '\ufeff'),
  encoding: fc.constantFrom<BufferEncoding>('utf8', 'utf8', 'utf16le', 'latin1'),
  chunk: fc.integer({ min: 1, max: 9 }),
  record_delimiter: fc.option(fc.uniqueArray(fc.constantFrom(...MARKS), { minLength: 1, maxLength: 4 }), {
    nil: undefined,
  }),
  columns: fc.constantFrom<Options['columns']>(true, false, ['x', false, 'y'], (header) =>
    header.map((_, i) => `c${i}`),
  ),
  trim: fc.boolean(),
  skip_empty_lines: fc.boolean(),
  relax: fc.constantFrom(true, true, false),
  comment: fc.constantFrom(undefined, undefined, '#'),
  from_line: fc.constantFrom(undefined, undefined, 2),
  to_line: fc.constantFrom(undefined, undefined, 4),
  to: fc.constantFrom(undefined, undefined, 3),
  escape: fc.constantFrom(undefined, undefined, '\\'),
});

it(`R1: csv.rows resumes exactly after every record in ${CASES_IN_MEMORY} cases of random text and delimiters`, {
  timeout: 600_000,
}, async () => {
  let [read, cuts] = [0, 0];
  await fc.assert(
    fc.asyncProperty(cases, async ({ text, bom, encoding, chunk, relax, ...settings }) => {
      const bytes = Buffer.from((encoding === 'latin1' ? '' : bom) + text.join(''), encoding);
      const options = { ...settings, encoding, relax_column_count: relax, relax_quotes: relax } as Options;
      const rowsAfter = (cursor: never) => outcomeOf(csv.rows<unknown>(chunked(bytes, chunk), { cursor, ...options }));
      const whole = await rowsAfter(null as never);
      read += whole.rows.length;
      for (const [index, cursor] of whole.cursors.entries()) {
        const rest = await rowsAfter(JSON.parse(JSON.stringify(cursor)) as never);
        cuts++;
        expect(rest).toEqual({
          rows: whole.rows.slice(index + 1),
          cursors: whole.cursors.slice(index + 1),
          error: whole.error,
        });
      }
    }),
    { numRuns: CASES_IN_MEMORY, seed: SEED },
  );
  expect(Math.min(read, cuts)).toBeGreaterThan(CASES_IN_MEMORY / 4);
});

it(`R27: parts of a CSV give every record and cursor of the whole, in ${CASES_IN_MEMORY} cases of random text and delimiters`, {
  timeout: 600_000,
}, async () => {
  let [read, parts] = [0, 0];
  await fc.assert(
    fc.asyncProperty(cases, fc.integer({ min: 2, max: 5 }), async (generated, count) => {
      const { text, bom, encoding, chunk, relax, ...settings } = generated;
      const bytes = Buffer.from((encoding === 'latin1' ? '' : bom) + text.join(''), encoding);
      const options = { ...settings, encoding, relax_column_count: relax, relax_quotes: relax } as Options;
      const whole = await outcomeOf(csv.rows<unknown>(chunked(bytes, chunk), { cursor: null, ...options }));
      if (whole.error !== undefined) return;
      const ranges = await csv.partitions(chunked(bytes, chunk), { count, ...options });
      expect(ranges).toHaveLength(Math.max(1, Math.min(whole.rows.length, ranges.length)));
      const outcomes = [];
      for (const range of JSON.parse(JSON.stringify(ranges)) as Json[]) {
        outcomes.push(await outcomeOf(csv.rows<unknown>(chunked(bytes, chunk), { cursor: null, range, ...options })));
      }
      expect(outcomes.map(({ error }) => error).filter(Boolean)).toEqual([]);
      expect(outcomes.flatMap(({ rows }) => rows)).toEqual(whole.rows);
      expect(outcomes.flatMap(({ cursors }) => cursors)).toEqual(whole.cursors);
      read += whole.rows.length;
      parts += ranges.length - 1;
    }),
    { numRuns: CASES_IN_MEMORY, seed: SEED },
  );
  expect(Math.min(read, parts)).toBeGreaterThan(CASES_IN_MEMORY / 10);
});

/** The rows before an error are compared too, and the error by its message. */
async function outcomeOf(enumerator: ReturnType<typeof csv.rows<unknown>>) {
  const outcome = { rows: [] as unknown[], cursors: [] as unknown[], error: undefined as string | undefined };
  try {
    for await (const [row, cursor] of enumerator) {
      outcome.rows.push(row);
      outcome.cursors.push(cursor);
    }
  } catch (error) {
    outcome.error = (error as Error).message;
  }
  return outcome;
}
