import type { Options } from 'csv-parse';
import { parse } from 'csv-parse/sync';
import { describe, expect, it } from 'vitest';
import { sourceOf } from '../../lib/enumerators/contract/index.js';
import { CsvEnumeratorBuilder, type CsvSource } from '../../lib/enumerators/csv/csv.enumerator.js';
import { all, chunked, numbers, temporaryFiles } from '../support/csv.js';

const csv = new CsvEnumeratorBuilder();
const fileOf = temporaryFiles();
const MEGABYTE = 1_048_576;

const sizeOf = async (source: CsvSource, options: Options = {}) =>
  csv.rows(source, { cursor: null, ...options }).size?.();
const countOf = (source: CsvSource, options: Options, cursor: unknown) =>
  sourceOf(csv.rows(source, { cursor: null, ...options })).source.count?.(cursor as never);

describe('the size of a CSV', () => {
  const exact: Record<string, { content: string | Buffer; options?: Options }> = {
    'an empty file': { content: '' },
    'a header': { content: 'a,b\n' },
    'a file without a last line end': { content: 'a\n1\n2' },
    'quoted line ends': { content: 'a,b\n"1\n\n",2\n3,"\n"\n' },
    'empty lines that are records': { content: 'a\n\n1\n\n' },
    'skipped empty lines and comments': {
      content: '#\n\na\n1\n# 2\n\n3\n#',
      options: { comment: '#', skip_empty_lines: true },
    },
    'UTF-16': { content: Buffer.from('\ufeffä,b\r\n"1\r\n",2\r\n3,4', 'utf16le') },
    'no header': { content: '1\n2\n3\n', options: { columns: false } },
    'from and to': { content: numbers(9), options: { from: 3, to: '7' } },
    'from after the end': { content: numbers(9), options: { from: 20 } },
    'to after the end': { content: numbers(9), options: { to: 20 } },
    'from_line and to_line': { content: `x, y\n\n${numbers(9)}`, options: { from_line: 3, to_line: 8 } },
    'skipped broken records': {
      content: 'a,b\n0\n1,2\n3,4,5\n6,7\n',
      options: { skip_records_with_error: true },
    },
    'skipped records without values': {
      content: 'a,b\n,\n1,2\n , \n',
      options: { skip_records_with_empty_values: true },
    },
    'other delimiters and objname': {
      content: 'a;b|1;2|3;4',
      options: { delimiter: ';', recordDelimiter: '|', raw: true, objname: 'a' },
    },
  };
  for (const [name, { content, options }] of Object.entries(exact)) {
    it(`the size is exact for ${name}, in a first and in a resumed run`, async () => {
      const bytes = Buffer.from(content);
      const rows = await all(csv.rows(bytes, { cursor: null, ...options }));
      expect(await sizeOf(bytes, options)).toBe(rows.length);
      const path = fileOf(bytes);
      expect(await sizeOf(path, options)).toBe(rows.length);
      const last = rows.at(-1)?.[1] ?? null;
      expect(await csv.rows(path, { cursor: last, ...options }).size?.()).toBe(rows.length);
      for (const batchSize of [1, 2, 3]) {
        const batches = csv.batches(path, { cursor: last, batchSize, ...options });
        expect(await batches.size?.()).toBe(Math.ceil(rows.length / batchSize));
      }
    });
  }

  it('the size of a CSV of up to a megabyte is exact', async () => {
    const content = `n\n${'1'.padEnd(15, '.')}\n`.repeat(1).padEnd(MEGABYTE, `${'2'.padEnd(15, '.')}\n`);
    expect(content).toHaveLength(MEGABYTE);
    expect(await sizeOf(Buffer.from(content))).toBe((parse(content) as unknown[]).length - 1);
  });

  describe('above a megabyte', () => {
    const row = (index: number) => `${`${index}`.padStart(7, '0')},"${'é\n'.repeat(30 + (index % 3))}"\n`;
    const large = Buffer.from(`id,text\n${Array.from({ length: 40_000 }, (_, index) => row(index)).join('')}`);

    it('the size of a CSV of over a megabyte is unknown', async () => {
      expect(large.length).toBeGreaterThan(3 * MEGABYTE);
      for (const source of [large, fileOf(large)]) {
        expect(await sizeOf(source)).toBeUndefined();
        expect(await sizeOf(source, { to: 30_000 })).toBeUndefined();
        expect(await csv.batches(source, { cursor: null, batchSize: 7 }).size?.()).toBeUndefined();
      }
    });

    it.each<[string, Options]>([
      ['a record', { to: 30 }],
      ['a line', { to_line: 31 * 20 + 30 }],
    ])('the size is exact if an option ends the file at %s within the first megabyte', async (_, options) => {
      expect(await sizeOf(large, options)).toBe((await all(csv.rows(large, { cursor: null, ...options }))).length);
    });

    it('an exact size is unknown unless an option ends the file within the first megabyte', async () => {
      const exact = (options: Options) =>
        sourceOf(csv.rows(large, { cursor: null, ...options })).source.size?.({ exact: true });
      expect(await exact({})).toBeUndefined();
      expect(await exact({ to: 30_000 })).toBeUndefined();
      expect(await exact({ to: 30 })).toBe(30);
      const batches = sourceOf(csv.batches(fileOf(large), { cursor: null, batchSize: 7 })).source;
      expect(await batches.size?.({ exact: true })).toBeUndefined();
    });

    it('size() reads at most a megabyte, even of an endless file', async () => {
      expect(await sizeOf('/dev/zero')).toBeUndefined();
    });
  });

  it('the size of a stream is unknown, and size() does not open the stream', async () => {
    const source = () => {
      throw new Error('opened');
    };
    expect(csv.rows(source, { cursor: null }).size).toBeUndefined();
    expect(csv.batches(source, { cursor: null }).size).toBeUndefined();
  });

  it('the size is unknown if csv-parse refuses a record', async () => {
    expect(await sizeOf(Buffer.from('a,b\n1,2\n3\n'))).toBeUndefined();
    expect(await sizeOf(Buffer.from('a\n"1'))).toBeUndefined();
    expect(await sizeOf(Buffer.from('a\n123456\n'), { max_record_size: 3 })).toBeUndefined();
  });

  it.each<[string, Options]>([
    ['on_record', { on_record: (record: unknown) => record as string[] }],
    ['cast and skip_records_with_empty_values', { cast: () => '', skip_records_with_empty_values: true }],
    ['columns and skip_records_with_error', { columns: () => ['a'], skip_records_with_error: true }],
  ])('the size is unknown with %s, which may skip records', async (_, options) => {
    expect(csv.rows(Buffer.from('a\n1\n'), { cursor: null, ...options }).size).toBeUndefined();
  });

  it('size() calls no function of the user', async () => {
    const called: string[] = [];
    const options: Options = {
      columns: (header) => {
        called.push('columns');
        return [...header, 'more'];
      },
      cast: (value) => called.push('cast') && value,
      cast_date: (value) => called.push('cast_date') as never as Date & typeof value,
    };
    expect(await sizeOf(Buffer.from('a\n1\n2\n'), options)).toBe(2);
    const on_skip = () => void called.push('on_skip');
    expect(await sizeOf(Buffer.from('a\n1\n2,3\n'), { skip_records_with_error: true, on_skip })).toBe(1);
    expect(called).toEqual([]);
  });

  it('size() rejects with the system error if there is no file', async () => {
    await expect(sizeOf('/nowhere/at/all.csv')).rejects.toThrow('ENOENT');
  });
});

describe('the fraction of a CSV up to a cursor', () => {
  const fractionsOf = async (source: CsvSource, options: Options = {}) => {
    const cursors = (await all(csv.rows(source, { cursor: null, ...options }))).map(([, cursor]) => cursor);
    return cursors.map((cursor) => csv.rows(source, { cursor, ...options }).fraction?.(cursor));
  };

  it('the fraction is that of the bytes, for paths and Buffers, rows and batches', async () => {
    const content = Buffer.from('a,b\n1,2\n"33",4\n5,6');
    for (const source of [content, fileOf(content)]) {
      expect(await fractionsOf(source)).toEqual([8 / 18, 15 / 18, 1]);
      const batches = csv.batches(source, { cursor: null, batchSize: 2 });
      const cursors = (await all(batches)).map(([, cursor]) => cursor);
      expect(cursors.map((cursor) => batches.fraction?.(cursor))).toEqual([15 / 18, 1]);
    }
  });

  it.each<[string, Options]>([
    ['a record', { to: '4' }],
    ['a line', { to_line: 5 }],
  ])('the fraction is that of the records if an option ends the file at %s', async (_, options) => {
    const fractions = await fractionsOf(Buffer.from(numbers(1_000)), options);
    expect(fractions).toHaveLength(4);
    expect(fractions.at(-1)).toBe(1);
    expect(fractions).toEqual([...fractions].sort());
  });

  it('the fraction is known even if on_record drops records', async () => {
    const on_record = (record: unknown, { records }: { records: number }) => (records % 2 ? null : record) as string[];
    expect(await fractionsOf(Buffer.from('a\n1\n2\n3\n4\n'), { on_record })).toEqual([0.6, 1]);
  });

  it('the fraction of a stream is unknown', async () => {
    const source = chunked(Buffer.from(numbers(3)));
    expect(await fractionsOf(source)).toEqual([undefined, undefined, undefined]);
  });

  it('the fraction is at most 1 in a file that grows during the read', () => {
    const cursor = { offset: 12, row: 3, line: 4, size: 10, headBytes: 10, head: '', tail: '' };
    expect(csv.rows(Buffer.from('a\n'), { cursor }).fraction?.(cursor)).toBe(1);
  });
});

describe('the count up to a cursor', () => {
  it.each<[string, string, Options]>([
    ['plain records', numbers(6), {}],
    ['records with from', numbers(6), { from: 3 }],
    ['records with from and to as strings', numbers(6), { from: '3', to: '5' }],
    [
      'skipped records',
      'a,b\n0\n1,2\n3,4,5\n,\n6,7\n8\n9,0\n',
      { skip_records_with_error: true, skip_records_with_empty_values: true },
    ],
    ['records with from_line', numbers(6), { from_line: 3, columns: false }],
  ])('the count is the number of records yielded: %s', async (_, content, options) => {
    const source = Buffer.from(content);
    const cursors = (await all(csv.rows(source, { cursor: null, ...options }))).map(([, cursor]) => cursor);
    expect(cursors.length).toBeGreaterThan(2);
    expect(cursors.map((cursor) => countOf(source, options, cursor))).toEqual(cursors.map((_, index) => index + 1));
    const streamed = chunked(source, 3);
    expect(cursors.map((cursor) => countOf(streamed, options, cursor))).toEqual(cursors.map((_, index) => index + 1));
  });

  it('the count is unknown with on_record, which may drop records', async () => {
    const options: Options = { on_record: (record: unknown) => record as string[] };
    const source = Buffer.from(numbers(3));
    const [[, cursor] = []] = await all(csv.rows(source, { cursor: null, ...options }));
    expect(countOf(source, options, cursor)).toBeUndefined();
  });
});
