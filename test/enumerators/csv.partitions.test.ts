import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { Json } from '../../lib/cursor.js';
import type { Part } from '../../lib/enumerators/contract/index.js';
import { CsvEnumeratorBuilder } from '../../lib/enumerators/csv/csv.enumerator.js';
import type { CsvCursor } from '../../lib/enumerators/csv/fingerprint.js';
import { InvalidCursorError, InvalidOptionsError, SourceChangedError } from '../../lib/iteration.errors.js';
import { chunked } from '../support/csv.js';
import { itKeepsTheEnumeratorContract } from '../support/enumerator-contract.js';
import { allOf } from '../support/part-properties.js';

const csv = new CsvEnumeratorBuilder();
const WHOLE = { after: null, until: null };

/** Records with quoted line ends, as long as each other, ten to the kilobyte. */
function records(count: number): string {
  const lines = Array.from(
    { length: count },
    (_, id) => `${String(id).padStart(6, '0')},"a\r\nb ""é""\n${'x'.repeat(80)}"`,
  );
  return `\ufeffid,text\r\n${lines.join('\r\n')}\r\n`;
}

describe('csv.partitions', () => {
  const small = Buffer.from(records(9));
  const large = Buffer.from(records(20_000));
  const idsOf = async (range: Json, source: Buffer) =>
    (await allOf(csv.rows(source, { cursor: null, range }))).map(({ id }) => Number(id));

  it('R27: parts end between records, have about as many bytes, and cursors as csv.rows has them', async () => {
    const ranges = (await csv.partitions(small, { count: 3 })) as Part<CsvCursor>[];
    const cursors: unknown[] = [];
    for await (const [, cursor] of csv.rows(small, { cursor: null })) cursors.push(cursor);
    expect(ranges).toEqual([
      { after: null, until: cursors[2] },
      { after: cursors[2], until: cursors[5] },
      { after: cursors[5], until: null },
    ]);
  });

  it.each([2, 16, 100])('R27: %i parts of a larger file differ by a tenth at most, and cover it', async (count) => {
    for (const source of count === 16 ? [chunked(large)] : [large]) {
      const ranges = await csv.partitions(source, { count });
      expect(ranges).toHaveLength(count);
      const ids = await Promise.all(ranges.map((range) => idsOf(range, large)));
      expect(ids.flat()).toEqual(Array.from({ length: 20_000 }, (_, id) => id));
      const even = 20_000 / count;
      for (const part of ids) expect(Math.abs(part.length - even)).toBeLessThan(even / 10);
    }
  });

  it('R27: a stream is read once, to its end, however many parts there are', async () => {
    const opened: number[] = [];
    const source = ({ start }: { start: number }) => {
      opened.push(start);
      return Readable.from([large.subarray(start)]);
    };
    expect(await csv.partitions(source, { count: 16 })).toHaveLength(16);
    expect(opened).toEqual([0]);
  });

  it.each([
    ['no bytes', '', 1],
    ['only a header', 'id,text\n', 1],
    ['one record', 'id,text\n1,a\n', 1],
    ['two records', 'id,text\n1,a\n2,b', 2],
    ['one long record and short ones', `id,text\n1,${'x'.repeat(10_000)}\n2,b\n3,c\n`, 3],
  ])('R27: of a file with %s there is no empty part', async (_, text, most) => {
    const ranges = await csv.partitions(Buffer.from(text), { count: 8 });
    expect(ranges.length).toBeLessThanOrEqual(most);
    if (most === 1) expect(ranges).toEqual([WHOLE]);
    for (const range of most > 1 ? ranges : []) expect(await idsOf(range, Buffer.from(text))).not.toEqual([]);
  });

  it('R27: records that are appended after the cut belong to the last part', async () => {
    const ranges = await csv.partitions(small, { count: 3 });
    const grown = Buffer.concat([small, Buffer.from('9,nine\r\n10,ten\r\n')]);
    const ids = await Promise.all(ranges.map((range) => idsOf(range, grown)));
    expect(ids).toEqual([
      [0, 1, 2],
      [3, 4, 5],
      [6, 7, 8, 9, 10],
    ]);
  });

  it('R10: a part of a file that was changed before it is refused', async () => {
    const [, second] = await csv.partitions(small, { count: 2 });
    const changed = Buffer.from(small.toString().replace('000002', '900002'));
    await expect(idsOf(second as Json, changed)).rejects.toThrow(SourceChangedError);
  });

  it('R27: functions of the user are not called to cut, unless they decide which records there are', async () => {
    const called: string[] = [];
    const cast = (value: string) => {
      called.push('cast');
      return value;
    };
    const on_record = (record: string[]) => {
      called.push('on_record');
      return record;
    };
    await csv.partitions(small, { count: 2, cast, on_record });
    expect(called).toEqual([]);
    await csv.partitions(small, { count: 2, cast, skip_records_with_empty_values: true });
    expect(new Set(called)).toEqual(new Set(['cast']));
  });

  it.each([
    ['the header', true as const],
    ['a function', (header: string[]) => header],
  ])('R27: broken records that are skipped are not reported while cutting, with columns by %s', async (_, columns) => {
    const skipped: unknown[] = [];
    const on_skip = (error: unknown) => {
      skipped.push(error);
      return undefined;
    };
    const broken = Buffer.from('a,b\n1,2\n3\n5,6\n7,8,9\n10,11\n');
    const options = { columns, skip_records_with_error: true, on_skip };
    const ranges = await csv.partitions(broken, { count: 3, ...options });
    expect(skipped).toEqual([]);
    const parts = ranges.map((range) => allOf(csv.rows<{ a: string }>(broken, { cursor: null, range, ...options })));
    expect((await Promise.all(parts)).map((rows) => rows.map(({ a }) => a))).toEqual([['1'], ['5'], ['10']]);
  });

  it('R27: records that on_record leaves out are in no part, and the others in one', async () => {
    const on_record = (record: string[]) =>
      Number((record as unknown as { id: string }).id) % 3 === 0 ? null : record;
    const ranges = await csv.partitions(small, { count: 4, on_record });
    const ids = await Promise.all(
      ranges.map(async (range) =>
        (await allOf(csv.rows(small, { cursor: null, range, on_record }))).map(({ id }) => Number(id)),
      ),
    );
    expect(ids.flat()).toEqual([1, 2, 4, 5, 7, 8]);
  });

  it.each([
    ['from and to', { from: 3, to: 7 }],
    ['lines', { from_line: 4, to_line: 20, columns: ['id', 'text'] }],
    ['no header', { columns: false as const }],
  ])('R27: parts with the options %s are those of the whole', async (_, options) => {
    const ranges = await csv.partitions(small, { count: 3, ...options });
    const parts = ranges.map((range) => allOf(csv.rows<unknown>(small, { cursor: null, range, ...options })));
    expect((await Promise.all(parts)).flat()).toEqual(
      await allOf(csv.rows<unknown>(small, { cursor: null, ...options })),
    );
    expect(ranges.length).toBeGreaterThan(1);
  });

  it('a CSV with an error is not cut, and the error of csv-parse passes untouched', async () => {
    await expect(csv.partitions(Buffer.from('a,b\n1,2\n3\n'), { count: 2 })).rejects.toThrow('Invalid Record Length');
  });

  describe('of a part', async () => {
    const [, range] = (await csv.partitions(small, { count: 3 })) as [Json, Part<CsvCursor>, Json];

    itKeepsTheEnumeratorContract('a part of csv.rows', {
      size: 'exact',
      build: (at) => csv.rows(small, { ...at, range }),
      identify: ({ id }) => Number(id),
      expected: [3, 4, 5],
    });
    itKeepsTheEnumeratorContract('a part of csv.batches', {
      size: 'exact',
      build: (at) => csv.batches(small, { ...at, range, batchSize: 2 }),
      identify: (batch) => String(batch.map(({ id }) => Number(id))),
      records: (batch) => batch.map(({ id }) => Number(id)),
      expected: ['3,4', '5'],
    });

    it('R27: fraction is that of the part', async () => {
      const enumerator = csv.rows(small, { cursor: null, range });
      const fractions: (number | undefined)[] = [];
      for await (const [, cursor] of enumerator) fractions.push(enumerator.fraction?.(cursor as never));
      expect(fractions.map((fraction) => fraction?.toFixed(2))).toEqual(['0.33', '0.67', '1.00']);
    });

    it('R27: a cursor outside of the range is refused', async () => {
      const cursors: CsvCursor[] = [];
      for await (const [, cursor] of csv.rows(small, { cursor: null })) cursors.push(cursor as unknown as CsvCursor);
      for (const [index, cursor] of cursors.entries()) {
        const read = allOf(csv.rows(small, { cursor: cursor as never, range }));
        if (index < 2 || index > 5) await expect(read).rejects.toThrow(InvalidCursorError);
        else await expect(read).resolves.toHaveLength(5 - index);
      }
    });

    it.each<Json>([1, { after: null }, { after: null, until: 5 }])('R27: the range %j is refused', (other) => {
      expect(() => csv.rows(small, { cursor: null, range: other })).toThrow(InvalidOptionsError);
      expect(() => csv.batches(small, { cursor: null, range: other })).toThrow('is not a part of this source');
    });
  });

  it.each([
    [{ count: 0 }, 'option "count" is 0'],
    [{}, 'option "count" is undefined'],
    [{ count: 2, cursor: null }, 'csv.partitions has no option "cursor"'],
    [{ count: 2, info: true }, 'csv.partitions cannot take "info"'],
  ])('csv.partitions refuses the options %j', async (options, message) => {
    const cut = csv.partitions(small, options as { count: number });
    await expect(cut).rejects.toThrow(InvalidOptionsError);
    await expect(cut).rejects.toThrow(message);
  });
});
