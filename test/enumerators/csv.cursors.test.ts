import { appendFile } from 'node:fs/promises';
import type { Options } from 'csv-parse';
import { describe, expect, it } from 'vitest';
import { CsvEnumeratorBuilder } from '../../lib/enumerators/csv/csv.enumerator.js';
import { all, chunked, items, largeCsv, temporaryFiles } from '../support/csv.js';

interface Case {
  readonly content: string | Buffer;
  readonly options?: Options;
  /** The index of a record, and the cursor that commit 8cfabcb made for it. */
  readonly index: number;
  readonly cursor: Readonly<Record<string, number | string | null>>;
}

const csv = new CsvEnumeratorBuilder();
const fileOf = temporaryFiles();

describe('a cursor saved by the code of commit 8cfabcb', () => {
  for (const [name, { content, options, index, cursor }] of Object.entries(cases())) {
    const bytes = Buffer.from(content);
    const source = cursor.size === null ? chunked(bytes) : bytes;

    it(`R1: ${name}: an old cursor resumes at the same record`, async () => {
      const whole = await all(csv.rows(source, { cursor: null, ...options }));
      expect(whole[index]?.[1]).toEqual(cursor);
      expect(await all(csv.rows(source, { cursor, ...options }))).toEqual(whole.slice(index + 1));
      const batches = await items(csv.batches(source, { cursor, batchSize: 2, ...options }));
      expect(batches.flat()).toEqual(whole.slice(index + 1).map(([row]) => row));
    });
  }

  it('R10: an old cursor after a record without a line end resumes in a file that has grown', async () => {
    const { content, options, cursor } = cases()['latin1 without a last line end'] as Case;
    const path = fileOf(content as Buffer);
    await appendFile(path, '\n3;4\n');
    expect(await items(csv.rows(path, { cursor, ...options }))).toEqual([{ näme: '3', b: '4' }]);
  });
});

function cases(): Record<string, Case> {
  return {
    'quoted line ends': {
      content: 'id,text\n1,"a\nb"\n2,"say ""hi"""\n3,\n',
      index: 1,
      cursor: {
        offset: 31,
        row: 2,
        line: 4,
        size: 34,
        headBytes: 34,
        head: '14tLUvk3oGiFBCt6-BGbqg',
        tail: 'dUMWOYvQ99R0lPyHVwQuci',
      },
    },
    'a BOM, CRLF and a quoted header': {
      content: '\ufeff"i\r\nd",b\r\n1,2\r\n3,"\r\n"\r\n5,6\r\n',
      index: 0,
      cursor: {
        offset: 18,
        row: 1,
        line: 4,
        size: 31,
        headBytes: 31,
        head: '4mNg32lUC23FV85DEM2wE3',
        tail: '2BxqbIOFxU9hiFiSaHfUlT',
      },
    },
    'UTF-16 with a BOM': {
      content: Buffer.from('\ufeffä,b\r\n1,"x\r\ny"\r\n🙂,2\r\n3,4', 'utf16le'),
      index: 1,
      cursor: {
        offset: 44,
        row: 2,
        line: 5,
        size: 50,
        headBytes: 50,
        head: 'aUkY1YHYsleIcIdmO-f8Ar',
        tail: 'CbrTqRcRAuVfJjxCg1186C',
      },
    },
    'latin1 without a last line end': {
      content: Buffer.from('n\xe4me;b\n\xfc;1\n\xff;2', 'latin1'),
      options: { encoding: 'latin1', delimiter: ';' },
      index: 1,
      cursor: {
        offset: 14,
        row: 2,
        line: 3,
        size: 14,
        headBytes: 14,
        head: 'QrjFoCkJfKfGxfT-su84sY',
        tail: 'QrjFoCkJfKfGxfT-su84sY',
      },
    },
    'no header': {
      content: '1,2\r3,4\r5,6\r',
      options: { columns: false },
      index: 0,
      cursor: {
        offset: 4,
        row: 1,
        line: 1,
        size: 12,
        headBytes: 12,
        head: 'rMWnPsCexp2MZ9Mh5qEBD8',
        tail: 'xX6kC_8ywqSUojsplOOJzW',
      },
    },
    'from_line, from and to': {
      content: 'preamble, x\n\nn\n1\n2\n3\n4\n5\n6\n7\n',
      options: { from_line: 3, from: 2, to: 5 },
      index: 0,
      cursor: {
        offset: 19,
        row: 2,
        line: 5,
        size: 29,
        headBytes: 29,
        head: 'yVbIAl2CiQnkAVTa-D3o1A',
        tail: 'bJ97gknWJWL55RyQJXsFEP',
      },
    },
    'delimiters of several characters': {
      content: 'a::b||1::"x||y"\n3::4||5::6\n',
      options: { delimiter: '::', record_delimiter: ['||', '\n'] },
      index: 0,
      cursor: {
        offset: 16,
        row: 1,
        line: 1,
        size: 27,
        headBytes: 27,
        head: 'A8iYGi9vqdZfSdbrqKbFel',
        tail: 'hTfvlcNBiNal1TjPJR-hyt',
      },
    },
    'comments, empty lines and broken records': {
      content: '# one\n\na,b\n0\n1,2 # two\n\n3,4,5\n#\n6,7\n8,9\n',
      options: { comment: '#', skip_empty_lines: true, skip_records_with_error: true },
      index: 0,
      cursor: {
        offset: 23,
        row: 1,
        line: 5,
        size: 40,
        headBytes: 40,
        head: 'J0OhGkPUzldhUYGFWnQP-S',
        tail: 'NQ5JYfXE-8CLBynvXsJwDt',
      },
    },
    functions: {
      content: 'a,b\n1,2\n\n3,4\n5,6\n',
      options: {
        skip_empty_lines: true,
        columns: (header) => header.map((name) => name.toUpperCase()),
        cast: (value, { header, column, records, lines, bytes }) =>
          header ? value : `${value} ${String(column)} ${records} ${lines} ${bytes}`,
        on_record: (record: object, { records }) => (records === 2 ? undefined : { ...record, records }) as never,
      },
      index: 0,
      cursor: {
        offset: 8,
        row: 1,
        line: 2,
        size: 17,
        headBytes: 17,
        head: 'ySEvqMP4J5PHt2pn6dUiRd',
        tail: 'SS1epJYFbxpqZZIkEDL6t2',
      },
    },
    'a stream': {
      content: 'n\n1\n2\n3\n4\n',
      index: 2,
      cursor: {
        offset: 8,
        row: 3,
        line: 4,
        size: null,
        headBytes: 10,
        head: '3wYPs1PV2ATMESDkXelJHz',
        tail: 'DoRIa1QqqQJXu5UqmxEIEE',
      },
    },
    'a file larger than its head': {
      content: largeCsv(),
      index: 50,
      cursor: {
        offset: 154_718,
        row: 51,
        line: 11_930,
        size: 303_433,
        headBytes: 65_536,
        head: 'yVebQxr5ZJawDeSh4u-ph6',
        tail: '8tPba7bTzqxzQlSA88rFWq',
      },
    },
  };
}
