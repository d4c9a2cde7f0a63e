import { appendFile, readdir, readFile, readlink, rename, truncate, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import type { Options } from 'csv-parse';
import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Cursor } from '../../lib/cursor.js';
import { type Enumerator, isAt, type Page } from '../../lib/enumerators/contract/index.js';
import { CsvEnumeratorBuilder, type CsvSource } from '../../lib/enumerators/csv/csv.enumerator.js';
import { CsvParser, loadCsvParse } from '../../lib/enumerators/csv/parser.js';
import {
  InvalidCursorError,
  InvalidEnumeratorError,
  InvalidOptionsError,
  MissingDependencyError,
  SourceChangedError,
} from '../../lib/iteration.errors.js';
import { all, chunked, cursorOf, drain, items, largeCsv, numbers, slices, temporaryFiles } from '../support/csv.js';
import { itKeepsTheEnumeratorContract } from '../support/enumerator-contract.js';
import { readerOf } from '../support/pages.js';
import { until } from '../support/until.js';

type CsvCursor = { offset: number; row: number; line: number; size: number | null; headBytes: number };

const csv = new CsvEnumeratorBuilder();
const fileOf = temporaryFiles();

describe('csv.rows', () => {
  const plain = 'id,name\n1,one\n2,two\n3,three\n4,four\n';
  const large = largeCsv();

  describe('reads what csv-parse reads', () => {
    const cases: Record<string, { content: string | Buffer; options?: Options }> = {
      'plain file': { content: plain },
      'CRLF file': { content: plain.replaceAll('\n', '\r\n') },
      'CR file': { content: plain.replaceAll('\n', '\r') },
      'file with a BOM': { content: `\ufeff${plain}` },
      'file with quoted newlines and quotes': {
        content: 'id,text\n1,"a\nb"\n2,"say ""hi"", \r\nand\n\ngo"\n3,""\n4,"\n"\n5,x\n',
      },
      'file with emoji': { content: 'näme,🙂\nüber,👩‍👩‍👧‍👦\n"🙂\n🙃",ÿ\n漢字,x\n' },
      'file without a last line end': { content: plain.slice(0, -1) },
      'file of one unterminated line': { content: 'a,b', options: { columns: false } },
      'file whose last field is quoted': { content: 'a,b\n1,"2"\n3,"4"' },
      'file with empty lines': { content: 'a,b\n\n1,2\n\n\n3,4\n\n', options: { skip_empty_lines: true } },
      'file that begins with empty lines': { content: '\n\na\n1\n\n2\n', options: { skip_empty_lines: true } },
      'file of one column, some fields empty': { content: 'a\n1\n\n2\n\n' },
      'file with comments': {
        content: '# first\na,b\n# second\n1,2\n3,4 # third\n#\n5,6\n# last',
        options: { comment: '#' },
      },
      'file without columns': { content: plain, options: { columns: false } },
      'file without columns, first line empty': { content: '\n1\n2\n', options: { columns: false } },
      'file with given columns': {
        content: plain,
        options: { columns: ['first', false, 'x'], relax_column_count: true },
      },
      'file with a function for columns': {
        content: plain,
        options: { columns: (header) => header.map((name) => name.toUpperCase()) },
      },
      'file with ragged rows': {
        content: 'a,b\n1\n2,3\n4,5,6\n\n7,8\n',
        options: { relax_column_count: true, skip_empty_lines: true },
      },
      'ragged file without columns': {
        content: '1,2,3\n4\n5,6\n',
        options: { columns: false, relax_column_count_less: true },
      },
      'file with tabs': { content: plain.replaceAll(',', '\t'), options: { delimiter: '\t' } },
      'file with several delimiters': { content: 'a;b\n1,2\n3;4\n', options: { delimiter: [',', ';'] } },
      'file with long delimiters': {
        content: 'a::b||1::"x||y"||3::4||5::6',
        options: { delimiter: '::', record_delimiter: '||' },
      },
      'file of mixed line ends': { content: '1,2\r3,4\r\n5,6\r', options: { columns: false } },
      'file with two record delimiters': {
        content: 'a,b\n1,2\r\n3,4\n5,6',
        options: { record_delimiter: ['\n', '\r\n'] },
      },
      'latin1 file': { content: Buffer.from('näme,b\nü,ÿ\né,2\n', 'latin1'), options: { encoding: 'latin1' } },
      'UTF-16 file': {
        content: Buffer.from('näme,b\r\nü,"x\r\ny"\r\n🙂,2', 'utf16le'),
        options: { encoding: 'utf16le' },
      },
      'UTF-16 file with a BOM and long delimiters': {
        content: Buffer.from('\ufeffa::b||"1"::"x||y"||3::"4"||', 'utf16le'),
        options: { delimiter: '::', record_delimiter: '||' },
      },
      'UTF-16 file with a BOM': { content: Buffer.from('\ufeffnäme,b\nü,"x\ny"\n🙂,2\n', 'utf16le') },
      'file with another quote and escape': {
        content: "a,b\n'x\n\\'y',1\n'\\\\',2\n",
        options: { quote: "'", escape: '\\' },
      },
      'file without quotes': { content: 'a,b\n"1,2"\n3,"\n', options: { quote: false } },
      'file with loose quotes': { content: 'a,b\n1 "x",2\n3,4"\n5,6\n', options: { relax_quotes: true } },
      'file to be trimmed': { content: ' a , b\n 1 , "2" \n\t3,4\t\n', options: { trim: true } },
      'file with duplicate columns': { content: 'a,a,b\n1,2,3\n4,5,6\n', options: { group_columns_by_name: true } },
      'file with broken records': {
        content: 'a,b\n1,2\n3\n4,5\n6,7,8\n9,0\n',
        options: { skip_records_with_error: true },
      },
      'file with records without values': {
        content: 'a,b\n,\n1,2\n , \n3,4\n,\n',
        options: { skip_records_with_empty_values: true },
      },
      'file with dangling delimiters': { content: 'a,b\n1,2,3\n4,5,6\n', options: { ignore_last_delimiters: true } },
      'file cast by a function': {
        content: 'a,b\n1,"2\n"\n3,4\n5,6\n',
        options: {
          cast: (value, { column, header, lines, records }) =>
            header ? value : `${value}@${String(column)}.${lines}.${records}`,
        },
      },
      'file cast by csv-parse': { content: 'a,b\n1,2026-11-01\n2.5,x\n', options: { cast: true, cast_date: true } },
      'file with its raw lines': { content: 'a,b\r\n1,2\r\n"3\n",4', options: { raw: true } },
      'file filtered by on_record': {
        content: 'a\n1\n2\n3\n4\n5\n6\n',
        options: {
          on_record: (record: unknown, { records }) =>
            records % 2 ? undefined : ([JSON.stringify(record), String(records)] as string[]),
        },
      },
      'file with a range of records': { content: numbers(9), options: { from: 3, to: 6 } },
      'file with a range of lines': { content: `preamble, x\n\n${numbers(9)}`, options: { from_line: 3, to_line: 8 } },
      'file with camel case options': { content: 'a;b|1;2|3;4|', options: { recordDelimiter: '|', delimiter: ';' } },
      'file with only a header': { content: 'a,b\n' },
      'empty file': { content: '' },
      'file with only a BOM': { content: '\ufeff' },
      'file with only empty lines': { content: '\n\n\n', options: { skip_empty_lines: true } },
    };
    const empty = ['file with only a header', 'empty file', 'file with only a BOM', 'file with only empty lines'];
    for (const [name, { content, options }] of Object.entries(cases)) {
      const bytes = Buffer.from(content);
      const expected = expectedRows(bytes, options);
      const path = fileOf(bytes);
      itKeepsTheEnumeratorContract(name, {
        size: name === 'file filtered by on_record' ? 'none' : 'exact',
        isEmpty: empty.includes(name),
        build: (at) => csv.rows<unknown>(path, { ...at, ...options }),
        expected,
      });

      it(`${name}: resuming yields the same cursors with any chunk size`, async () => {
        const whole = await all(csv.rows(chunked(bytes), { cursor: null, ...options }));
        for (const size of [1, 2, 3, 5, 7]) {
          expect(await all(csv.rows(chunked(bytes, size), { cursor: null, ...options }))).toEqual(whole);
          for (const [index, [, cursor]] of whole.entries()) {
            const rest = await all(csv.rows(chunked(bytes, size), { cursor, ...options }));
            expect(rest).toEqual(whole.slice(index + 1));
          }
        }
      });
    }
  });

  describe('sources', () => {
    let path: string | undefined;
    const largePath = () => {
      path ??= fileOf(large);
      return path;
    };
    itKeepsTheEnumeratorContract('file of several chunks', {
      size: 'exact',
      build: (at) => csv.rows(largePath(), at),
      expected: expectedRows(large),
    });
    itKeepsTheEnumeratorContract('Buffer', {
      size: 'exact',
      build: (at) => csv.rows(large, at),
      expected: expectedRows(large),
    });
    itKeepsTheEnumeratorContract('file URL', {
      size: 'exact',
      build: (at) => csv.rows(pathToFileURL(largePath()), at),
      expected: expectedRows(large),
    });
    itKeepsTheEnumeratorContract('function whose chunks split characters', {
      size: 'none',
      build: (at) => csv.rows(chunked(large, 4099), at),
      expected: expectedRows(large),
    });
    itKeepsTheEnumeratorContract('function that promises a stream of one chunk', {
      size: 'none',
      build: (at) => csv.rows(async (range) => chunked(large, large.length)(range), at),
      expected: expectedRows(large),
    });

    it('a stream may yield Uint8Arrays and empty chunks', async () => {
      const source = () => Readable.from([new TextEncoder().encode('a\n1'), new Uint8Array(), Buffer.from('\n2\n')]);
      expect(await items(csv.rows(source, { cursor: null }))).toEqual([{ a: '1' }, { a: '2' }]);
    });

    it.each<[string, () => unknown, string]>([
      ['undefined', () => undefined, 'returned undefined, not a Readable'],
      ['a string', () => 'a,b', 'returned a string, not a Readable'],
      ['a stream of strings', () => Readable.from(['a\n', '1\n']), 'yielded a string, not bytes'],
    ])('csv.rows refuses a source function that returns %s', async (_, source, message) => {
      const reader = readerOf(csv.rows(source as CsvSource, { cursor: null }));
      await expect(reader.next()).rejects.toThrow(InvalidEnumeratorError);
      await expect(items(csv.rows(source as CsvSource, { cursor: null }))).rejects.toThrow(message);
    });

    it.each<[string, unknown, string]>([
      ['a Readable', Readable.from([]), 'csv.rows cannot read a Readable'],
      ['an http URL', new URL('https://example.com/a.csv'), 'csv.rows cannot read https://example.com/a.csv'],
      ['nothing', undefined, 'csv.rows cannot read undefined'],
    ])('csv.rows refuses %s and says what it can read', (_, source, message) => {
      expect(() => csv.rows(source as CsvSource, { cursor: null })).toThrow(InvalidOptionsError);
      expect(() => csv.rows(source as CsvSource, { cursor: null })).toThrow(message);
    });
  });

  it('R1: csv.rows resumes exactly after every record of any file, in chunks of any size', async () => {
    const field = fc.oneof(
      fc.constantFrom('', '"', ',', '\n', '\r\n', '\r', ' ', '""', ',\n"', '🙂', 'é', '漢', '0', '\ufeff'),
      fc.string({ unit: 'grapheme', maxLength: 6 }),
    );
    const table = fc
      .integer({ min: 1, max: 3 })
      .chain((width) =>
        fc.array(fc.array(field, { minLength: width, maxLength: width }), { minLength: 1, maxLength: 7 }),
      );
    const quoted = (value: string, always: boolean) =>
      always || /[",\r\n\ufeff]/.test(value) || value === '' ? `"${value.replaceAll('"', '""')}"` : value;
    await fc.assert(
      fc.asyncProperty(
        table,
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 }),
        fc.record({
          end: fc.constantFrom('\n', '\r\n', '\r'),
          always: fc.boolean(),
          open: fc.boolean(),
          bom: fc.boolean(),
        }),
        async (records, sizes, { end, always, open, bom }) => {
          const lines = records.map((record) => record.map((value) => quoted(value, always)).join(','));
          const text = `${bom ? '\ufeff' : ''}${lines.join(end)}${open ? '' : end}`;
          const source = chunked(Buffer.from(text), ...sizes);
          const whole = await all(csv.rows<string[]>(source, { cursor: null, columns: false }));
          expect(whole.map(([record]) => record)).toEqual(records);
          for (const [index, [, cursor]] of whole.entries()) {
            expect(await all(csv.rows(source, { cursor, columns: false }))).toEqual(whole.slice(index + 1));
          }
        },
      ),
      { numRuns: 150 },
    );
  });

  describe('a source function that ignores `start`', () => {
    const ignoring: CsvSource = () => Readable.from(slices(large, [65_536]));
    const shifted: CsvSource = ({ start }) => Readable.from(slices(large.subarray(start && start - 1), [65_536]));
    const at = async (index: number) => cursorOf(csv.rows(chunked(large), { cursor: null }), index);

    it.each<[string, CsvSource, number, string]>([
      ['starts at byte 0', ignoring, 80, 'but it started at byte 0'],
      ['starts at byte 0, cursor within the head', ignoring, 10, 'but it started at byte 0'],
      ['starts a byte early, cursor within the head', shifted, 10, 'but it started at another byte'],
    ])('R10: csv.rows reports a wrong stream, no changed file, if it %s', async (_, source, index, message) => {
      const cursor = await at(index);
      const reading = items(csv.rows(source, { cursor }));
      await expect(reading).rejects.toThrow(InvalidEnumeratorError);
      await expect(reading).rejects.toThrow(
        `the CSV stream was opened at byte ${(cursor as CsvCursor).offset - 4096}, ${message}`,
      );
    });

    it('a file smaller than 4 KB resumes even if its source function ignores `start`', async () => {
      const source: CsvSource = () => Readable.from([Buffer.from(plain)]);
      const cursor = await cursorOf(csv.rows(source, { cursor: null }), 1);
      expect(await items(csv.rows(source, { cursor }))).toEqual(expectedRows(Buffer.from(plain)).slice(2));
    });
  });

  describe('encodings', () => {
    it.each<[string, readonly number[]]>([
      ['UTF-16BE', [0xfe, 0xff, 0x00, 0x61, 0x00, 0x0a]],
      ['UTF-32LE', [0xff, 0xfe, 0x00, 0x00, 0x61, 0x00, 0x00, 0x00]],
      ['UTF-32BE', [0x00, 0x00, 0xfe, 0xff, 0x00, 0x00, 0x00, 0x61]],
    ])('csv.rows refuses a file with the byte order mark of %s', async (encoding, bytes) => {
      for (const source of [Buffer.from(bytes), chunked(Buffer.from(bytes), 1)]) {
        const reading = items(csv.rows(source, { cursor: null }));
        await expect(reading).rejects.toThrow(InvalidEnumeratorError);
        await expect(reading).rejects.toThrow(`begins with the byte order mark of ${encoding}, which csv-parse cannot`);
      }
    });

    it('csv.rows with bom: false reads a byte order mark as data', async () => {
      const source = Buffer.from([0xfe, 0xff, 0x0a, 0x31, 0x0a]);
      const options: Options = { bom: false, encoding: 'latin1' };
      expect(await items(csv.rows(source, { cursor: null, ...options }))).toEqual([{ þÿ: '1' }]);
    });
  });

  describe('R1: record delimiters where one starts with another', () => {
    const lists = [
      ['\r\n', '\n', '\r'],
      ['\n', '\r\n', '\r'],
      ['\r', '\n', '\r\n'],
      ['|', '||', '\n'],
      ['||', '|', '\n'],
    ];
    it.each<[string, Options]>([
      ['a\r\r\n1\n2\n3\n', {}],
      ['a\r\r\n1\n2\n3\n', { columns: false }],
      ['a\r \r\n1\r2\n3\r\n4', { trim: true }],
      ['a\r\r\n\n1\r\n2\n3\n', { skip_empty_lines: true, columns: false }],
      ['\r\na\r\r\n1\n2\n3\n', { skip_empty_lines: true }],
      ['a|\n1\n2||3\n|4\n', {}],
      ['\n|a||1\n2|\n3|', { columns: false, relax_column_count: true }],
    ])('%j with %j resumes after each record', async (text, options) => {
      for (const list of lists) {
        for (const source of [Buffer.from(text), chunked(Buffer.from(text), 1)]) {
          const settings = { ...options, record_delimiter: list };
          const whole = await all(csv.rows<unknown>(source, { cursor: null, ...settings }));
          for (const [index, [, cursor]] of whole.entries()) {
            const rest = await all(csv.rows<unknown>(source, { cursor, ...settings }));
            expect(rest.map(([row]) => row)).toEqual(whole.slice(index + 1).map(([row]) => row));
          }
        }
      }
    });

    it('R10: csv.rows refuses a file whose last line end continues in the appended bytes', async () => {
      const path = fileOf('a\r\n1\r');
      const settings = { record_delimiter: ['\r\n', '\r'] };
      const cursor = (await all(csv.rows(path, { cursor: null, ...settings }))).at(-1)?.[1] as Cursor;
      expect(await items(csv.rows(path, { cursor, ...settings }))).toEqual([]);
      await appendFile(path, '\n2\r\n');
      await expect(items(csv.rows(path, { cursor, ...settings }))).rejects.toThrow(SourceChangedError);
    });
  });

  describe('the cursor', () => {
    it('a cursor holds the byte after its record, row, line and fingerprints, in under 1 KB', async () => {
      const [first, second] = await all(csv.rows(Buffer.from('a,b\r\n1,"x\ny"\r\n33,4\r\n'), { cursor: null }));
      expect(first?.[1]).toEqual({
        offset: 14,
        row: 1,
        line: 3,
        size: 20,
        headBytes: 20,
        head: expect.stringMatching(/^[\w-]{22}$/),
        tail: expect.stringMatching(/^[\w-]{22}$/),
      });
      expect(second?.[1]).toMatchObject({ offset: 20, row: 2, line: 4 });
      const last = (await all(csv.rows(large, { cursor: null }))).at(-1)?.[1];
      expect(JSON.stringify(last).length).toBeLessThan(200);
    });

    it('a cursor stays under 1 KB with a header of 100 KB, which resuming reads from the file', async () => {
      const header = Array.from({ length: 20_000 }, (_, index) => `c${index}`).join(',');
      const row = ','.repeat(19_999);
      const path = fileOf(`${header}\n${row}\n1${row}\n2${row}\n`);
      const whole = await all(csv.rows(path, { cursor: null }));
      for (const [index, [, cursor]] of whole.entries()) {
        expect(JSON.stringify(cursor).length).toBeLessThan(1000);
        expect(await all(csv.rows(path, { cursor }))).toEqual(whole.slice(index + 1));
      }
    });

    it.each([1, 'x', {}, { offset: 1 }, { ...cursorLike, offset: -1 }, { ...cursorLike, tail: 1 }])(
      'refuses the cursor %j',
      (cursor) => {
        expect(() => csv.rows('x.csv', { cursor: cursor as Cursor })).toThrow(InvalidCursorError);
        expect(() => csv.rows('x.csv', { cursor: cursor as Cursor })).toThrow('is not one of csv.rows');
      },
    );

    it('csv.rows refuses a cursor if the options leave no record before it', async () => {
      const cursor = await cursorOf(csv.rows(Buffer.from('a\n1\n'), { cursor: null, columns: false }), 0);
      const reader = readerOf(csv.rows(Buffer.from('a\n1\n'), { cursor, columns: true }));
      await expect(reader.next()).rejects.toThrow(InvalidCursorError);
    });

    it('a cursor names the same record before and after an append to the file', async () => {
      const path = fileOf(plain);
      const before = (await all(csv.rows(path, { cursor: null }))).map(([, cursor]) => cursor);
      await appendFile(path, '5,five\n');
      const page = (await readerOf(csv.rows(path, { cursor: null })).next()) as Page<unknown>;
      expect(page.cursorAt(1)).not.toEqual(before[1]);
      const same = (one: number, other: number) => isAt(page, other, before[one] as Cursor);
      expect([same(1, 1), same(3, 3), same(1, 2), same(3, 4)]).toEqual([true, true, false, false]);
    });

    it('a range may start after one cursor and end at another, even at the same record', async () => {
      const path = fileOf(numbers(9));
      const cursors = (await all(csv.rows(path, { cursor: null }))).map(([, cursor]) => cursor);
      const enumerator = csv.rows(path, { cursor: cursors[4] as Cursor });
      expect(await drain(readerOf(enumerator, cursors[4]))).toEqual([]);
      expect(await drain(readerOf(enumerator, cursors[1]))).toEqual([]);
      expect(await drain(readerOf(enumerator, cursors[6]))).toEqual([{ n: '6' }, { n: '7' }]);
    });
  });

  describe('R10: a changed file', () => {
    /** Reads half of a file, changes the file, and reads the rest. */
    async function changedAtHalf(content: string | Buffer, change: (path: string, cursor: CsvCursor) => unknown) {
      const path = fileOf(content);
      const whole = await all(csv.rows(path, { cursor: null }));
      const half = Math.floor(whole.length / 2) - 1;
      const cursor = whole[half]?.[1] as CsvCursor;
      await change(path, cursor);
      const rest = items(csv.rows(path, { cursor }));
      return { path, cursor, rest, expected: whole.slice(half + 1).map(([item]) => item) };
    }

    async function overwrite(path: string, at: number, text: string): Promise<void> {
      const bytes = await readFile(path);
      bytes.write(text, at);
      await writeFile(path, bytes);
    }

    it('csv.rows resumes in an unchanged file', async () => {
      const { rest, expected } = await changedAtHalf(large, () => {});
      expect(await rest).toEqual(expected);
      expect(expected).toHaveLength(50);
    });

    it.each([0, 100, 65_535])('csv.rows refuses a file if byte %i of the head changed', async (at) => {
      const { rest, path, cursor } = await changedAtHalf(large, (path) => overwrite(path, at, '~'));
      await expect(rest).rejects.toThrow(SourceChangedError);
      await expect(rest).rejects.toThrow(
        `${path} was changed since the checkpoint after row ${cursor.row} (byte ${cursor.offset}): ` +
          'its first 65536 bytes are not what they were',
      );
    });

    it.each([1, 4096])('csv.rows refuses a file if the byte %i before the cursor changed', async (before) => {
      const { rest } = await changedAtHalf(large, (path, { offset }) => overwrite(path, offset - before, '~'));
      await expect(rest).rejects.toThrow(SourceChangedError);
      await expect(rest).rejects.toThrow('the 4096 bytes before the cursor are not what they were');
    });

    it.each([
      ['of several chunks', large],
      ['smaller than its head', Buffer.from(plain)],
    ])('csv.rows resumes in a file that has grown: one %s', async (_, content) => {
      const { rest, expected } = await changedAtHalf(content, (path) => appendFile(path, '8,eight\n9,nine\n'));
      expect(await rest).toEqual([...expected, ...expectedRows(Buffer.from('id,name\n8,eight\n9,nine\n'))]);
    });

    it('csv.rows resumes after the last record with the records that were appended', async () => {
      const path = fileOf(plain);
      const cursor = await cursorOf(csv.rows(path, { cursor: null }), 3);
      await appendFile(path, '5,five\n');
      expect(await items(csv.rows(path, { cursor }))).toEqual([{ id: '5', name: 'five' }]);
    });

    it.each([
      ['after the cursor', (size: number, _: CsvCursor) => size - 1],
      ['before the cursor', (_: number, { offset }: CsvCursor) => offset - 1],
      ['to 0 bytes', () => 0],
    ])('csv.rows refuses a file that was truncated %s', async (_, length) => {
      const { rest } = await changedAtHalf(large, (path, cursor) => truncate(path, length(large.length, cursor)));
      await expect(rest).rejects.toThrow(SourceChangedError);
      await expect(rest).rejects.toThrow(`and had ${large.length}`);
    });

    it('csv.rows refuses a stream that ends before the cursor', async () => {
      const cursor = await cursorOf(csv.rows(chunked(large, 9999), { cursor: null }), 70);
      const streams: Readable[] = [];
      const shorter: CsvSource = (range) => {
        const stream = chunked(large.subarray(0, (cursor as CsvCursor).offset - 1), 999)(range);
        streams.push(stream);
        return stream;
      };
      const reader = readerOf(csv.rows(shorter, { cursor }));
      await expect(reader.next()).rejects.toThrow('the CSV stream was changed');
      await expect(items(csv.rows(shorter, { cursor }))).rejects.toThrow('it ends before the cursor');
      const changed = Buffer.from(large).fill('~', (cursor as CsvCursor).offset - 9, (cursor as CsvCursor).offset);
      const other: CsvSource = (range) => {
        const stream = chunked(changed, 999)(range);
        streams.push(stream);
        return stream;
      };
      await expect(readerOf(csv.rows(other, { cursor })).next()).rejects.toThrow('the 4096 bytes before the cursor');
      expect(streams.map(({ destroyed }) => destroyed)).toEqual([true, true, true, true, true, true]);
    });

    it('csv.rows refuses a file that changes after the check of its head', async () => {
      const cursor = await cursorOf(csv.rows(chunked(large), { cursor: null }), 70);
      const other = Buffer.from(large).fill('~', 100_000);
      const source: CsvSource = (range) => chunked(range.start === 0 ? large : other)(range);
      const reader = readerOf(csv.rows(source, { cursor }));
      await expect(reader.next()).rejects.toThrow(SourceChangedError);
      await reader.close();
    });

    it('csv.rows refuses a file truncated during the read, and yields no partial record', async () => {
      const path = fileOf(large);
      const reader = readerOf(csv.rows(path, { cursor: null }));
      const seen = [...((await reader.next()) as Page<unknown>).items];
      await truncate(path, 200_000);
      const reading = (async () => {
        for (let page = await reader.next(); page; page = await reader.next()) seen.push(...page.items);
      })();
      await expect(reading).rejects.toThrow(SourceChangedError);
      await expect(reading).rejects.toThrow(
        `${path} was changed while it was read: it had ${large.length} bytes, and ends at byte 200000 now`,
      );
      expect(seen.length).toBeGreaterThan(40);
      expect(seen).toEqual(expectedRows(large).slice(0, seen.length));
      await reader.close();
      expect(await descriptors(path)).toBe(0);
    });

    it('csv.rows reads rows that are appended during the read', async () => {
      const path = fileOf(large);
      const reader = readerOf(csv.rows(path, { cursor: null }));
      const seen = [...((await reader.next()) as Page<unknown>).items];
      await appendFile(path, '100,x\n');
      seen.push(...(await drain(reader)));
      expect(seen).toEqual([...expectedRows(large), { id: '100', name: 'x' }]);
      await reader.close();
    });

    it('csv.rows does not detect a change between the head and the 4 KB before the cursor', async () => {
      const { rest, expected } = await changedAtHalf(large, (path) => overwrite(path, 70_000, '~'));
      expect(await rest).toEqual(expected);
    });

    it('csv.rows refuses another file at the same path', async () => {
      const { rest } = await changedAtHalf(large, async (path) => {
        const other = fileOf(large.toString().replaceAll('1', '2'));
        await rename(other, path);
      });
      await expect(rest).rejects.toThrow(SourceChangedError);
    });

    it('the first next() refuses a changed file and leaves no file open', async () => {
      const { rest, path, cursor } = await changedAtHalf(large, (path) => overwrite(path, 0, '~'));
      await expect(rest).rejects.toThrow();
      const reader = readerOf(csv.rows(path, { cursor }));
      await expect(reader.next()).rejects.toThrow(SourceChangedError);
      expect(await descriptors(path)).toBe(0);
      await reader.close();
    });

    describe('with a last record that had no line end', () => {
      const open = plain.slice(0, -1);
      const lastCursor = (source: CsvSource, options: Options = {}) =>
        all(csv.rows(source, { cursor: null, ...options })).then((pairs) => pairs.at(-1)?.[1] as Cursor);

      it('csv.rows resumes after the record if a line end was appended first', async () => {
        const path = fileOf(open);
        const cursor = await lastCursor(path);
        await appendFile(path, '\n5,five\n');
        const rest = await all(csv.rows(path, { cursor }));
        expect(rest).toMatchObject([
          [
            { id: '5', name: 'five' },
            { row: 5, line: 6, offset: plain.length + 7 },
          ],
        ]);
      });

      it('csv.rows resumes after the only record if a line end was appended first', async () => {
        const path = fileOf('1,2');
        const cursor = await lastCursor(path, { columns: false });
        await appendFile(path, '\r\n3,4\r\n');
        expect(await items(csv.rows(path, { cursor, columns: false }))).toEqual([['3', '4']]);
      });

      it.each(['s\n5,five\n', ',x\n', '"'])('csv.rows refuses bytes that continue the record: %j', async (more) => {
        const path = fileOf(open);
        const cursor = await lastCursor(path);
        await appendFile(path, more);
        await expect(items(csv.rows(path, { cursor }))).rejects.toThrow(SourceChangedError);
        await expect(items(csv.rows(path, { cursor }))).rejects.toThrow('its last record, which had no line end');
      });

      it('csv.rows refuses UTF-16 that continues the only record and starts like a line end', async () => {
        const path = fileOf(Buffer.from('\ufeff1', 'utf16le'));
        const cursor = await lastCursor(path, { columns: false });
        await appendFile(path, Buffer.from('\u010a\n2\n', 'utf16le'));
        await expect(items(csv.rows(path, { cursor, columns: false }))).rejects.toThrow(SourceChangedError);
      });

      it('csv.rows refuses appended bytes that continue the only record', async () => {
        const path = fileOf('1,2');
        const cursor = await lastCursor(path, { columns: false });
        await appendFile(path, '3\n4,5\n');
        await expect(items(csv.rows(path, { cursor, columns: false }))).rejects.toThrow(SourceChangedError);
      });
    });
  });

  describe('reading', () => {
    it('csv.rows opens a stream at 0 for the head and one 4 KB before the cursor, no other', async () => {
      const cursor = (await cursorOf(csv.rows(large, { cursor: null }), 80)) as CsvCursor;
      const starts: number[] = [];
      const streams: Readable[] = [];
      const served: number[] = [];
      const source: CsvSource = ({ start }) => {
        const index = starts.push(start) - 1;
        served[index] = 0;
        const stream = Readable.from(
          slices(large.subarray(start), [8192], (size) => (served[index] = (served[index] ?? 0) + size)),
          {
            highWaterMark: 1,
          },
        );
        streams.push(stream);
        return stream;
      };
      const reader = readerOf(csv.rows(source, { cursor: { ...cursor, size: null } }));
      expect((await reader.next())?.items.length).toBeGreaterThan(0);
      expect(starts).toEqual([0, cursor.offset - 4096]);
      expect(served[0]).toBeLessThanOrEqual(65_536 + 3 * 8192);
      expect(streams[0]?.destroyed).toBe(true);
      await reader.close();
      expect(streams[1]?.destroyed).toBe(true);
    });

    it('csv.rows yields the rows of a slow stream as they arrive, and resumes after each', async () => {
      const stream = new Readable({ read() {} });
      const reader = readerOf(csv.rows(() => stream, { cursor: null }));
      const pairs: (readonly [unknown, Cursor])[] = [];
      for (const [row, shown] of [
        ['n\nrow 1\n', 0],
        ['row 2\n', 1],
        ['row 3\n', 2],
        ['row 4\n', 3],
      ] as const) {
        stream.push(row);
        if (shown === 0) continue; // csv-parse looks a few bytes ahead
        const page = (await reader.next()) as Page<unknown>;
        pairs.push(...page.items.map((item, index) => [item, page.cursorAt(index)] as const));
        expect(pairs).toHaveLength(shown);
      }
      await reader.close();
      expect(stream.destroyed).toBe(true);

      const whole = Buffer.from('n\nrow 1\nrow 2\nrow 3\nrow 4\n');
      for (const [index, [, cursor]] of pairs.entries()) {
        const rest = await items(csv.rows(chunked(whole), { cursor }));
        expect([...pairs.slice(0, index + 1).map(([row]) => row), ...rest]).toEqual(expectedRows(whole));
      }
    });

    it('csv.rows reads only a few pages ahead of an endless stream', async () => {
      let served = 0;
      const endless = function* () {
        yield Buffer.from('n\n');
        for (;;) {
          served += 65_536;
          yield Buffer.alloc(65_536, 'x\n');
        }
      };
      const reader = readerOf(csv.rows(() => Readable.from(endless(), { highWaterMark: 1 }), { cursor: null }));
      for (let page = 1; page <= 20; page++) {
        const { items } = (await reader.next()) as Page<unknown>;
        expect(items.length).toBeLessThanOrEqual(65_536 / 2 + 1);
        expect(served).toBeLessThanOrEqual((page + 4) * 65_536);
      }
      await reader.close();
    });

    it('csv.rows reads one page ahead while the items of the current page are handled', async () => {
      let parsed = () => {};
      const ahead = new Promise<void>((resolve) => (parsed = resolve));
      const on_record = (record: string[], { records }: { records: number }) => {
        if (records > 30) parsed();
        return record;
      };
      const reader = readerOf(csv.rows(fileOf(large), { cursor: null, on_record }));
      expect((await reader.next())?.items.length).toBeLessThan(30);
      await ahead;
      await reader.close();
    });

    it('csv.rows stops parsing at the end of its range', async () => {
      const cursors = (await all(csv.rows(large, { cursor: null }))).map(([, cursor]) => cursor);
      let parsed = 0;
      const on_record = (record: string[]) => {
        parsed++;
        return record;
      };
      const rows = csv.rows(chunked(large, 3000), { cursor: null, on_record });
      expect(await drain(readerOf(rows, cursors[49]))).toHaveLength(50);
      expect(parsed).toBeLessThan(53);
    });

    it('cursors are correct for a record that ends just before its chunk', async () => {
      const rows = Buffer.from(
        `${'n'.padEnd(63, '.')}\n${Array.from({ length: 90 }, (_, row) => `${row}`.padEnd(63, '.')).join('\n')}\n`,
      );
      const whole = await all(csv.rows(rows, { cursor: null }));
      expect(await all(csv.rows(chunked(rows, 65), { cursor: null }))).toEqual(
        whole.map(([row, cursor]) => [row, { ...(cursor as CsvCursor), size: null }]),
      );
    });

    it('csv.rows splits a large chunk into several pages', async () => {
      const reader = readerOf(csv.rows(chunked(large, large.length), { cursor: null }));
      let pages = 0;
      while (await reader.next()) pages++;
      expect(pages).toBeGreaterThanOrEqual(Math.ceil(large.length / 65_536));
      await reader.close();
    });

    it('csv.rows yields to the event loop while it parses a large record of a Buffer', async () => {
      let turns = 0;
      const timer = setInterval(() => turns++, 1);
      const long = Buffer.concat([Buffer.from('a\n"'), Buffer.alloc(2_000_000, 'x'), Buffer.from('"\n')]);
      expect((await items(csv.rows(long, { cursor: null }))).length).toBe(1);
      clearInterval(timer);
      expect(turns).toBeGreaterThan(3);
    });

    it('csv.rows does not modify its options', async () => {
      const options = { cursor: null, columns: ['a'], delimiter: [','], comment: undefined };
      const before = structuredClone(options);
      await items(csv.rows(Buffer.from('1\n2\n'), options));
      expect(options).toEqual(before);
    });
  });

  describe('errors', () => {
    it('csv.rows rejects with the system error, which names the path, if there is no file', async () => {
      const path = join(tmpdir(), 'nestjs-iteration', 'missing.csv');
      await expect(readerOf(csv.rows(path, { cursor: null })).next()).rejects.toThrow(
        `ENOENT: no such file or directory, open '${path}'`,
      );
    });

    it('csv.rows rejects if the path is a directory', async () => {
      const next = readerOf(csv.rows(tmpdir(), { cursor: null })).next();
      await expect(next).rejects.toThrow(InvalidEnumeratorError);
      await expect(next).rejects.toThrow(`${tmpdir()} is a directory`);
      expect(await descriptors(tmpdir())).toBe(0);
    });

    it('csv.rows yields the records before a stream failed, then rejects with its error', async () => {
      const failure = new Error('the network is away');
      const source = () =>
        Readable.from(
          (function* () {
            yield Buffer.concat([large.subarray(0, 70_000)]);
            yield large.subarray(70_000, 140_000);
            throw failure;
          })(),
        );
      const reader = readerOf(csv.rows(source, { cursor: null }));
      const seen: unknown[] = [];
      const reading = (async () => {
        for (let page = await reader.next(); page; page = await reader.next()) seen.push(...page.items);
      })();
      await expect(reading).rejects.toBe(failure);
      expect(seen).toEqual(expectedRows(large).slice(0, seen.length));
      expect(seen.length).toBeGreaterThan(30);
      await reader.close();
    });

    it('csv.rows rejects with the error that its source function throws', async () => {
      const failure = new Error('no such bucket');
      const reader = readerOf(
        csv.rows(
          () => {
            throw failure;
          },
          { cursor: null },
        ),
      );
      await expect(reader.next()).rejects.toBe(failure);
    });

    it('the error for a broken record names the same line in every run', async () => {
      const broken = Buffer.from('a,b\n1,"x\ny"\n2,3\n4\n5,6\n');
      const message = 'Invalid Record Length: columns length is 2, got 1 on line 5';
      await expect(items(csv.rows(broken, { cursor: null }))).rejects.toThrow(message);
      for (const index of [0, 1]) {
        const source = Buffer.from(broken.toString().replace('4\n', '4,4\n'));
        const cursor = (await cursorOf(csv.rows(chunked(source, 99), { cursor: null }), index)) as CsvCursor;
        const head = (await cursorOf(csv.rows(chunked(broken.subarray(0, 16), 99), { cursor: null }), index)) as object;
        const reader = readerOf(csv.rows(chunked(broken, 99), { cursor: { ...cursor, ...head } }));
        await expect(drain(reader)).rejects.toMatchObject({ message, code: 'CSV_RECORD_INCONSISTENT_COLUMNS' });
        await reader.close();
      }
    });

    it('csv.rows yields the records before a broken one, and fails at it again when resumed', async () => {
      const path = fileOf('a,b\n1,2\n3,4\n5\n6,7\n');
      const reader = readerOf(csv.rows(path, { cursor: null }));
      const page = (await reader.next()) as Page<unknown>;
      expect(page.items).toEqual([
        { a: '1', b: '2' },
        { a: '3', b: '4' },
      ]);
      await expect(reader.next()).rejects.toThrow('got 1 on line 4');
      await reader.close();
      const resumed = readerOf(csv.rows(path, { cursor: page.cursorAt(1) }));
      await expect(resumed.next()).rejects.toThrow('got 1 on line 4');
      await resumed.close();
      const bounded = readerOf(csv.rows(path, { cursor: null }), page.cursorAt(1));
      expect(await drain(bounded)).toHaveLength(2);
      await bounded.close();
    });

    it('a resumed run expects the same number of fields as the first run', async () => {
      const path = fileOf('1,2\n3,4\n');
      const cursor = await cursorOf(csv.rows(path, { cursor: null, columns: false }), 1);
      await appendFile(path, '5\n6\n');
      await expect(items(csv.rows(path, { cursor, columns: false }))).rejects.toThrow('expect 2, got 1 on line 3');
    });

    it('csv.rows rejects with the error that a cast throws, even at the end of the file', async () => {
      for (const content of ['a\n1\n2\n', 'a\n1\n2']) {
        const cast_date = (value: string) => {
          if (value === 'x') return new Date();
          throw new Error(`bad ${value}`);
        };
        const reading = items(
          csv.rows(Buffer.from(content.replace('1', 'x')), { cursor: null, cast: true, cast_date }),
        );
        await expect(reading).rejects.toThrow('bad a');
      }
    });

    it('csv.rows rejects if a quote is never closed', async () => {
      await expect(items(csv.rows(Buffer.from('a\n1\n"2\n'), { cursor: null }))).rejects.toThrow('Quote Not Closed');
    });
  });

  describe('closing', () => {
    const states: Record<string, (reader: ReturnType<typeof readerOf<unknown>>) => Promise<unknown>> = {
      'before the first page': async () => {},
      'after the first page': async (reader) => reader.next(),
      'after the second page': async (reader) => [await reader.next(), await reader.next()],
      'at the end': async (reader) => drain(reader),
    };
    for (const [state, reach] of Object.entries(states)) {
      it(`close() ${state} closes the file`, async () => {
        const path = fileOf(large);
        const reader = readerOf(csv.rows(path, { cursor: null }));
        await reach(reader);
        await reader.close();
        expect(await descriptors(path)).toBe(0);
      });

      it(`close() ${state} destroys the stream`, async () => {
        const streams: Readable[] = [];
        const source: CsvSource = (range) => {
          const stream = chunked(large, 8192)(range);
          streams.push(stream);
          return stream;
        };
        const reader = readerOf(csv.rows(source, { cursor: null }));
        await reach(reader);
        await reader.close();
        expect(streams.map(({ destroyed }) => destroyed)).toEqual(streams.map(() => true));
      });
    }

    it('close() destroys a stream that is not an instance of Readable', async () => {
      const stream = new Readable({ read() {} });
      const like = {
        on: stream.on.bind(stream),
        destroy: stream.destroy.bind(stream),
        [Symbol.asyncIterator]: () => stream[Symbol.asyncIterator](),
      };
      const reader = readerOf(csv.rows((() => like) as never, { cursor: null }));
      const reading = reader.next();
      reading.catch(() => {});
      await until('the stream is read', () => stream.readableFlowing === false || stream.listenerCount('readable') > 0);
      await reader.close();
      expect(stream.destroyed).toBe(true);
      await expect(reading).rejects.toThrow();
    });

    describe('with a stream that stalls', () => {
      /** A source whose streams yield the bytes up to `end`, and then stall. */
      function stalled(end: number): { source: CsvSource; streams: Readable[] } {
        const streams: Readable[] = [];
        const source: CsvSource = ({ start }) => {
          const stream = new Readable({ read() {} });
          if (start < end) stream.push(large.subarray(start, end));
          streams.push(stream);
          return stream;
        };
        return { source, streams };
      }

      const builds = {
        rows: (source: CsvSource, cursor: Cursor = null) => csv.rows<unknown>(source, { cursor }),
        batches: (source: CsvSource, cursor: Cursor = null) => csv.batches<unknown>(source, { cursor, batchSize: 15 }),
      };
      for (const [call, build] of Object.entries(builds)) {
        it(`csv.${call}: close() does not wait for a stream that stalls before its first byte`, async () => {
          const { source, streams } = stalled(0);
          const reader = readerOf<unknown>(build(source));
          const next = expect(reader.next()).rejects.toThrow();
          await until('the stream is open', () => streams.length === 1);
          await reader.close();
          await next;
          expect(streams[0]?.destroyed).toBe(true);
        });

        it(`csv.${call}: close() does not wait for a stream that stalls during read-ahead`, async () => {
          const { source, streams } = stalled(65_536);
          const reader = readerOf<unknown>(build(source));
          expect((await reader.next())?.items.length).toBeGreaterThan(0);
          await reader.close();
          expect(streams.map(({ destroyed }) => destroyed)).toEqual([true]);
        });

        it.each([
          ['head', 1_000, 1],
          ['cursor', 250_000, 2],
        ])(`csv.${call}: close() does not wait for a resumed stream that stalls at its %s`, async (_, end, opened) => {
          const cursor = await cursorOf(csv.rows(chunked(large), { cursor: null }), 95);
          const { source, streams } = stalled(end);
          const reader = readerOf<unknown>(build(source, cursor));
          const next = expect(reader.next()).rejects.toThrow();
          await until('the streams are open', () => streams.length === opened);
          await reader.close();
          await next;
          expect(streams.map(({ destroyed }) => destroyed)).toEqual(streams.map(() => true));
        });
      }

      it('close() does not wait for a stream to open, and destroys it once it is open', async () => {
        let open = (_: Readable) => {};
        const opening = new Promise<Readable>((resolve) => {
          open = resolve;
        });
        const reader = readerOf(csv.rows(() => opening, { cursor: null }));
        const next = expect(reader.next()).rejects.toThrow();
        await new Promise(setImmediate);
        await reader.close();
        await next;
        const stream = Readable.from([Buffer.from('a\n1\n')]);
        open(stream);
        await until('the stream is destroyed', () => stream.destroyed);
      });

      it('close() aborts a pending next() before it opens a stream', async () => {
        const reader = readerOf(csv.rows(() => Readable.from(['never']), { cursor: null }));
        const next = expect(reader.next()).rejects.toThrow('aborted');
        await reader.close();
        await next;
      });
    });

    it('the file stays open while there is more to read', async () => {
      const path = fileOf(large);
      const reader = readerOf(csv.rows(path, { cursor: null }));
      await reader.next();
      expect(await descriptors(path)).toBe(1);
      await reader.close();
      expect(await descriptors(path)).toBe(0);
    });

    it('an error of a handler closes the file', async () => {
      const path = fileOf(large);
      const failure = new Error('handler');
      const handling = (async () => {
        for await (const [row] of csv.rows(path, { cursor: null })) if (row.id === '5') throw failure;
      })();
      await expect(handling).rejects.toBe(failure);
      expect(await descriptors(path)).toBe(0);
    });

    it('a broken record closes the file, and so does the option to', async () => {
      const path = fileOf(`${large.toString()}x,y,z\n`);
      await expect(items(csv.rows(path, { cursor: null }))).rejects.toThrow('Invalid Record Length');
      expect(await descriptors(path)).toBe(0);
      expect(await items(csv.rows(path, { cursor: null, to: 3 }))).toHaveLength(3);
      expect(await descriptors(path)).toBe(0);
    });
  });

  describe('options', () => {
    it.each<[string, object, string]>([
      ['info', { info: true }, 'csv.rows cannot take "info"'],
      ['delimiter_auto', { delimiter_auto: true }, 'csv.rows cannot take "delimiter_auto"'],
      ['auto_parse', { autoParse: true }, 'csv.rows cannot take "autoParse": csv-parse no longer knows it. Use "cast"'],
      ['auto_parse_date', { auto_parse_date: true }, 'Use "cast_date"'],
      ['range', { range: {} }, 'csv.rows: the range {} is not a part of this source'],
      ['no cursor', { cursor: undefined }, 'csv.rows: no cursor is given'],
      ['batchSize', { batchSize: 10 }, 'csv.rows has no option "batchSize"'],
      [
        'a misspelled option',
        { seperator: ';' },
        'csv.rows has no option "seperator". It has: cursor, range, bom, cast',
      ],
      ['an option of streams', { highWaterMark: 1 }, 'csv.rows has no option "highWaterMark"'],
      ['a member of every object', { constructor: 1 }, 'csv.rows has no option "constructor"'],
      ['trim, errors skipped', { trim: true, skip_records_with_error: true }, 'csv.rows cannot take "trim" together'],
      ['rtrim, errors skipped', { rtrim: true, skipRecordsWithError: true }, 'csv.rows cannot take "rtrim" together'],
      [
        'max_record_size, errors skipped',
        { max_record_size: 9, skip_records_with_error: true },
        'csv.rows cannot take "max_record_size" together',
      ],
    ])('csv.rows refuses %s and says why', (_, options, message) => {
      expect(() => csv.rows('x.csv', { cursor: null, ...options })).toThrow(InvalidOptionsError);
      expect(() => csv.rows('x.csv', { cursor: null, ...options })).toThrow(message);
    });

    it('csv.rows accepts a refused option that is false', async () => {
      const rows = csv.rows(Buffer.from('a\n1\n'), { cursor: null, info: false, delimiter_auto: false });
      expect(await items(rows)).toEqual([{ a: '1' }]);
    });

    it('csv.rows ignores an option that is undefined', async () => {
      const rows = csv.rows(Buffer.from('\ufeffa\n1\n'), { cursor: null, columns: undefined, bom: undefined });
      expect(await items(rows)).toEqual([{ a: '1' }]);
    });

    it('csv-parse refuses an option with a value of the wrong type', async () => {
      const reader = readerOf(csv.rows(Buffer.from(plain), { cursor: null, columns: 'yes' as never }));
      await expect(reader.next()).rejects.toThrow('Invalid option columns');
    });

    it('max_record_size limits the size of a record', async () => {
      const reading = items(csv.rows(Buffer.from('a\n12345\n1234567890\n'), { cursor: null, max_record_size: 5 }));
      await expect(reading).rejects.toThrow('Max Record Size');
    });

    it('csv.rows calls on_skip for a broken record, but not again when resumed after it', async () => {
      const broken = Buffer.from('a,b\n0\n1,2\n3\n4,5\n6\n7,8\n');
      const skipped: string[] = [];
      const options: Options = {
        skip_records_with_error: true,
        on_skip: (error) => void skipped.push(error?.message.slice(-6) ?? ''),
      };
      const whole = await all(csv.rows(broken, { cursor: null, ...options }));
      expect(skipped.splice(0)).toEqual(['line 2', 'line 4', 'line 6']);
      await items(csv.rows(broken, { cursor: whole[0]?.[1] as Cursor, ...options }));
      expect(skipped).toEqual(['line 4', 'line 6']);
    });

    it('csv.rows yields records of the requested type', async () => {
      const strings: Enumerator<Record<string, string>> = csv.rows(Buffer.from(plain), { cursor: null });
      const typed: Enumerator<{ id: number }> = csv.rows<{ id: number }>(Buffer.from(plain), {
        cursor: null,
        cast: true,
      });
      // @ts-expect-error a size is not an option of rows
      expect(() => csv.rows(Buffer.from(plain), { cursor: null, size: 1 })).toThrow(InvalidOptionsError);
      expect((await items(strings))[0]).toEqual({ id: '1', name: 'one' });
      expect((await items(typed))[0]?.id).toBe(1);
    });
  });

  it('the error for a missing csv-parse names the package to install', async () => {
    const missing = 'csv-parse-that-is-not-installed';
    const require = createRequire(import.meta.url);
    for (const load of [() => import(missing), async () => require(missing)]) {
      const loading = loadCsvParse('csv.rows', load);
      await expect(loading).rejects.toThrow(MissingDependencyError);
      await expect(loading).rejects.toThrow('csv.rows needs the package "csv-parse", which is not installed');
    }
    const failure = new Error('broken package');
    await expect(loadCsvParse('csv.rows', () => Promise.reject(failure))).rejects.toBe(failure);
  });

  it('the parser refuses a csv-parse without the internal state that resuming needs', () => {
    const api = { state: { needMoreDataSize: 0, expectedRecordLength: 0 } };
    for (const [given, missing] of [
      [undefined, 'needMoreDataSize'],
      [api, 'bufBytesStart'],
    ] as const) {
      const Parser = class {
        readonly api = given as never;
      };
      expect(() => new CsvParser({ Parser }, {})).toThrow(`has no api.state.${missing}, which is needed to resume`);
    }
  });
});

const cursorLike = { offset: 1, row: 1, line: 1, size: 1, headBytes: 1, head: '', tail: '' };

/** The rows that csv-parse itself returns. */
function expectedRows(bytes: Buffer, options: Options = {}): unknown[] {
  return parse(bytes, { bom: true, columns: true, ...options } as Options);
}

/** The number of file descriptors that this process has open on the path. */
async function descriptors(path: string): Promise<number> {
  const links = (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => ''));
  return (await Promise.all(links)).filter((link) => link === path).length;
}
