import { appendFile, truncate } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { Cursor } from '../../lib/cursor.js';
import { type Enumerator, sourceOf } from '../../lib/enumerators/contract/index.js';
import { CsvEnumeratorBuilder, type CsvSource } from '../../lib/enumerators/csv/csv.enumerator.js';
import { InvalidCursorError, InvalidOptionsError, SourceChangedError } from '../../lib/iteration.errors.js';
import { all, chunked, items, largeCsv, numbers, temporaryFiles } from '../support/csv.js';
import { itKeepsTheEnumeratorContract } from '../support/enumerator-contract.js';

type Row = Record<string, string>;

const csv = new CsvEnumeratorBuilder();
const fileOf = temporaryFiles();
const large = largeCsv();
const ids = Array.from({ length: 100 }, (_, index) => `${index}`);
const idsOf = (rows: readonly Row[]) => rows.map(({ id }) => id as string);

function inBatches(size: number): string[][] {
  return Array.from({ length: Math.ceil(ids.length / size) }, (_, batch) =>
    ids.slice(batch * size, (batch + 1) * size),
  );
}

describe('csv.batches', () => {
  for (const batchSize of [1, 3, 64, 100, 1000]) {
    itKeepsTheEnumeratorContract(`csv.batches of ${batchSize}`, {
      size: 'none',
      build: (at) => csv.batches(chunked(large, 40_000), { ...at, batchSize }),
      identify: (rows) => idsOf(rows).join(),
      records: idsOf,
      expected: inBatches(batchSize).map((batch) => batch.join()),
    });
  }

  it.each([1, 3, 7, 64, 99, 100, 101])('every batch but the last has %i records, across chunks', async (batchSize) => {
    for (const source of [fileOf(large), large, chunked(large, 4_099), chunked(large, large.length)]) {
      expect((await items(csv.batches(source, { cursor: null, batchSize }))).map(idsOf)).toEqual(inBatches(batchSize));
    }
  });

  it('a batch has 1000 records by default', async () => {
    const batches = await items(csv.batches(Buffer.from(numbers(2_500)), { cursor: null }));
    expect(batches.map(({ length }) => length)).toEqual([1000, 1000, 500]);
    expect(await items(csv.batches(Buffer.from('a\n'), { cursor: null }))).toEqual([]);
  });

  it("a batch has the cursor of its last record; csv.rows and csv.batches accept each other's", async () => {
    const rows = await all(csv.rows(large, { cursor: null }));
    const batches = await all(csv.batches(large, { cursor: null, batchSize: 7 }));
    expect(batches.map(([, cursor]) => cursor)).toEqual(
      [...batches.keys()].map((batch) => rows[Math.min(99, batch * 7 + 6)]?.[1]),
    );
    const [, cursor] = rows[9] as (typeof rows)[0];
    const resumed = await items(csv.batches(large, { cursor, batchSize: 60 }));
    expect(resumed.map(idsOf)).toEqual([ids.slice(10, 70), ids.slice(70)]);
    const { source } = sourceOf(csv.batches(large, { cursor: null, batchSize: 7 }));
    expect(await source.size?.()).toBe(15);
  });

  it('resuming reads appended records, in batches that start after the last record', async () => {
    const path = fileOf(numbers(5));
    const first = await all(csv.batches(path, { cursor: null, batchSize: 3 }));
    expect(first.map(([rows]) => rows.length)).toEqual([3, 2]);
    await appendFile(path, '6\n7\n8\n9\n');
    const rest = await items(csv.batches(path, { cursor: first[1]?.[1] as Cursor, batchSize: 3 }));
    expect(rest).toEqual([[{ n: '6' }, { n: '7' }, { n: '8' }], [{ n: '9' }]]);
    const again = await items(csv.batches(path, { cursor: first[0]?.[1] as Cursor, batchSize: 3 }));
    expect(again.map(({ length }) => length)).toEqual([3, 3]);
  });

  it('R10: csv.batches refuses a changed file', async () => {
    const path = fileOf(large);
    const [[, cursor] = []] = await all(csv.batches(path, { cursor: null, batchSize: 50 }));
    await truncate(path, 100_000);
    const rest = items(csv.batches(path, { cursor: cursor as Cursor, batchSize: 50 }));
    await expect(rest).rejects.toThrow(SourceChangedError);
  });

  it('csv.batches accepts the options of csv-parse', async () => {
    const batches: Enumerator<{ A: number }[]> = csv.batches<{ A: number }>(Buffer.from('a\n1\n2\n3\n'), {
      cursor: null,
      batchSize: 2,
      cast: true,
      columns: (header) => header.map((name) => name.toUpperCase()),
    });
    expect(await items(batches)).toEqual([[{ A: 1 }, { A: 2 }], [{ A: 3 }]]);
  });

  describe('errors of csv.batches', () => {
    it.each([0, -1, 1.5, Number.NaN, '2', 2 ** 60])('the error for batch size %s names csv.batches', (batchSize) => {
      const build = () => csv.batches(large, { cursor: null, batchSize: batchSize as number });
      expect(build).toThrow(InvalidOptionsError);
      expect(build).toThrow('csv.batches: option "batchSize" is ');
    });

    it.each<[string, object, string]>([
      ['a missing cursor', { cursor: undefined }, 'csv.batches: no cursor is given'],
      [
        'an unknown option',
        { pageSize: 9 },
        'csv.batches has no option "pageSize". It has: cursor, range, batchSize, bom',
      ],
      ['a refused option', { info: true }, 'csv.batches cannot take "info"'],
      ['conflicting options', { trim: true, skip_records_with_error: true }, 'csv.batches cannot take "trim"'],
    ])('the error for %s names csv.batches', (_, options, message) => {
      const build = () => csv.batches(large, { cursor: null, ...options });
      expect(build).toThrow(InvalidOptionsError);
      expect(build).toThrow(message);
    });

    it('the error for undefined options names csv.rows or csv.batches', () => {
      for (const call of ['rows', 'batches'] as const) {
        const build = () => csv[call](large, undefined as never);
        expect(build).toThrow(InvalidOptionsError);
        expect(build).toThrow(`csv.${call}: no cursor is given`);
      }
    });

    it('the error for the cursor of another source names csv.batches', () => {
      const build = () => csv.batches(large, { cursor: 3 });
      expect(build).toThrow(InvalidCursorError);
      expect(build).toThrow('is not one of csv.batches');
    });

    it('the error for a source that cannot be read names csv.batches', async () => {
      expect(() => csv.batches(3 as never, { cursor: null })).toThrow('csv.batches cannot read 3');
      const given = async (source: unknown) => items(csv.batches(source as CsvSource, { cursor: null }));
      await expect(given(() => 'a')).rejects.toThrow('The function given to csv.batches returned a string');
      await expect(given(() => Readable.from(['a']))).rejects.toThrow(
        'The stream given to csv.batches yielded a string',
      );
    });
  });
});
