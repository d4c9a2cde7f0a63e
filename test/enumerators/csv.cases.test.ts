import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Options } from 'csv-parse';
import { parse } from 'csv-parse/sync';
import { describe, expect, it } from 'vitest';
import type { At, Enumerator } from '../../lib/enumerators/contract/index.js';
import { CsvEnumeratorBuilder, type CsvSource } from '../../lib/enumerators/csv/csv.enumerator.js';
import { all, chunked, httpServer, items, temporaryFiles } from '../support/csv.js';
import { versionOf } from '../support/instead.js';

/** A file and its records. */
interface Case {
  readonly content: string | Buffer;
  readonly options?: Options;
  readonly expected: readonly unknown[];
  /** The major version of csv-parse that reads it so. */
  readonly since?: number;
}

const csv = new CsvEnumeratorBuilder();
const fileOf = temporaryFiles();
const http = httpServer();

/** Every way to read the same bytes. Odd sizes of chunks split characters, quotes and line ends. */
const SOURCES: Record<string, (bytes: Buffer) => CsvSource> = {
  'a path': fileOf,
  'a Buffer': (bytes) => bytes,
  'a chunked stream': (bytes) => chunked(bytes, ...(bytes.length > 5_000 ? [4_099, 1, 9_973] : [1, 2, 3, 5, 7])),
  'HTTP ranges': (bytes) => {
    http.serve(bytes);
    return http.source;
  },
};

describe('files of csv-spectrum', () => {
  for (const [name, spectrum] of Object.entries(spectrumCases())) itIsCutAtEveryRecord(name, spectrum);

  it('csv-spectrum has 12 files', () => {
    expect(Object.keys(spectrumCases())).toHaveLength(12);
  });
});

describe('files of our own', () => {
  for (const [name, nasty] of Object.entries(nastyCases())) {
    if (Number.parseInt(versionOf('csv-parse'), 10) < (nasty.since ?? 0)) continue;
    itIsCutAtEveryRecord(name, nasty);

    if (nasty.options?.objname) continue; // csv-parse/sync returns one object for these
    it(`csv-parse returns the same records: ${name}`, () => {
      const { content, options, expected } = nasty;
      expect(parse(Buffer.from(content), { bom: true, columns: true, ...options } as Options)).toEqual(expected);
    });
  }
});

function itIsCutAtEveryRecord(name: string, { content, options, expected }: Case): void {
  const bytes = Buffer.from(content);
  for (const [from, sourceOf] of Object.entries(SOURCES)) {
    it(`R1: rows of ${from} resume exactly: ${name}`, async () => {
      const source = sourceOf(bytes);
      await cutEverywhere((at) => csv.rows<unknown>(source, { ...at, ...options }), expected);
    });

    for (const batchSize of [1, 2, 3]) {
      it(`R1: batches of ${batchSize} of ${from} resume exactly: ${name}`, async () => {
        const source = sourceOf(bytes);
        const batches = (at: At) => csv.batches<unknown>(source, { ...at, ...options, batchSize });
        await cutEverywhere(batches, inBatches(expected, batchSize));
        for (const [row, [, cursor]] of (await all(csv.rows(source, { cursor: null, ...options }))).entries()) {
          expect(await items(batches({ cursor }))).toEqual(inBatches(expected.slice(row + 1), batchSize));
        }
        for (const [batch, [, cursor]] of (await all(batches({ cursor: null }))).entries()) {
          const rest = expected.slice((batch + 1) * batchSize);
          expect(await items(csv.rows(source, { cursor, ...options }))).toEqual(rest);
        }
      });
    }
  }
}

/** A run that resumes after any cursor yields the same items and cursors as an uninterrupted run. */
async function cutEverywhere(build: (at: At) => Enumerator<unknown>, expected: readonly unknown[]): Promise<void> {
  const whole = await all(build({ cursor: null }));
  expect(whole.map(([item]) => item)).toEqual(expected);
  for (const [index, [, cursor]] of whole.entries()) {
    const resumed = await all(build({ cursor: JSON.parse(JSON.stringify(cursor)) }));
    expect(resumed).toEqual(whole.slice(index + 1));
  }
}

function inBatches(rows: readonly unknown[], size: number): unknown[][] {
  return Array.from({ length: Math.ceil(rows.length / size) }, (_, index) =>
    rows.slice(index * size, (index + 1) * size),
  );
}

function spectrumCases(): Record<string, Case> {
  const folder = dirname(createRequire(import.meta.url).resolve('csv-spectrum'));
  const names = readdirSync(join(folder, 'csvs')).map((file) => file.replace(/\.csv$/, ''));
  return Object.fromEntries(
    names.map((name): [string, Case] => {
      const content = readFileSync(join(folder, 'csvs', `${name}.csv`));
      const json: unknown = JSON.parse(readFileSync(join(folder, 'json', `${name}.json`), 'utf8'));
      if (name !== 'location_coordinates') return [name, { content, expected: json as unknown[] }];
      // This file has quotes in the middle of a field. Its JSON is not a list, and has another phone number.
      const expected = [{ ...(json as object), 'Contact Phone Number': '2095257564' }];
      return [name, { content, options: { relax_quotes: true }, expected }];
    }),
  );
}

function nastyCases(): Record<string, Case> {
  const long = '🙂é漢\n'.repeat(6_000);
  return {
    'BOM, CRLF, and a header with a quoted newline': {
      content: '\ufeff"a\r\nb",c\r\n1,"x\r\n\r\ny"\r\n2,"\n"\r\n"3","\r"\r\n',
      expected: [
        { 'a\r\nb': '1', c: 'x\r\n\r\ny' },
        { 'a\r\nb': '2', c: '\n' },
        { 'a\r\nb': '3', c: '\r' },
      ],
    },
    'lone CR, and other line ends in quotes': {
      content: 'a,b\r"\n",1\r"\r\n",2\r"\r",3\r,4',
      expected: [
        { a: '\n', b: '1' },
        { a: '\r\n', b: '2' },
        { a: '\r', b: '3' },
        { a: '', b: '4' },
      ],
    },
    'fields of quotes, of delimiters, and empty': {
      content: 'a,b\n"""","""""",\n"""""",","\n,\n"",""\n",,",""""\n'.replace(',\n"""""",",', '\n"""""",",'),
      expected: [
        { a: '"', b: '""' },
        { a: '""', b: ',' },
        { a: '', b: '' },
        { a: '', b: '' },
        { a: ',,', b: '"' },
      ],
    },
    'identical records': {
      content: 'a,b\n1,1\n1,1\n1,1\n"1","1"\n1,1\n',
      expected: Array.from({ length: 5 }, () => ({ a: '1', b: '1' })),
    },
    'control characters and NUL': {
      content: 'a,b\n\0,\x01\n\x1b[0m,"\0\n\0"\n\u2028,\u2029\n\x85,\x0b\n',
      expected: [
        { a: '\0', b: '\x01' },
        { a: '\x1b[0m', b: '\0\n\0' },
        { a: '\u2028', b: '\u2029' },
        { a: '\x85', b: '\x0b' },
      ],
    },
    'emoji and combining marks, also in the header': {
      content: '👩‍👩‍👧‍👦,ä\ne\u0301,🏳️‍🌈\n"🙂\n",\u{10ffff}\nﷺ,"a\u200db"\n',
      expected: [
        { '👩‍👩‍👧‍👦': 'e\u0301', ä: '🏳️‍🌈' },
        { '👩‍👩‍👧‍👦': '🙂\n', ä: '\u{10ffff}' },
        { '👩‍👩‍👧‍👦': 'ﷺ', ä: 'a\u200db' },
      ],
    },
    'columns named as members of Object.prototype': {
      since: 7,
      content: '__proto__,constructor,toString\n1,2,3\n4,5,6\n',
      expected: [JSON.parse('{"__proto__":"1","constructor":"2","toString":"3"}')].concat(
        JSON.parse('{"__proto__":"4","constructor":"5","toString":"6"}'),
      ),
    },
    'UTF-16 with a BOM, CRLF and quoted line ends': {
      content: Buffer.from('\ufeffä,b\r\n🙂,"x\r\ny"\r\n"\n",2\r\nü,', 'utf16le'),
      expected: [
        { ä: '🙂', b: 'x\r\ny' },
        { ä: '\n', b: '2' },
        { ä: 'ü', b: '' },
      ],
    },
    'UTF-16 without a BOM': {
      content: Buffer.from('a;b\n"ä;\n";1\n漢;2\n', 'utf16le'),
      options: { encoding: 'utf16le', delimiter: ';' },
      expected: [
        { a: 'ä;\n', b: '1' },
        { a: '漢', b: '2' },
      ],
    },
    'one unterminated line of UTF-16': {
      content: Buffer.from('\ufeffä,b', 'utf16le'),
      options: { columns: false },
      expected: [['ä', 'b']],
    },
    latin1: {
      content: Buffer.from('n\xe4me;\xa4\r\n\xfc;"\xff\r\n"\r\n\x80;\xe9\r\n', 'latin1'),
      options: { encoding: 'latin1', delimiter: ';' },
      expected: [
        { näme: 'ü', '¤': 'ÿ\r\n' },
        { näme: '\x80', '¤': 'é' },
      ],
    },
    'fields as bytes': {
      content: Buffer.from('\xff,1\n"\xfe\n",2\n', 'latin1'),
      options: { encoding: null, columns: false },
      expected: [
        [Buffer.from([0xff]), Buffer.from('1')],
        [Buffer.from([0xfe, 0x0a]), Buffer.from('2')],
      ],
    },
    'ragged rows': {
      content: 'a,b\n1\n2,3\n\n4,5,6\n7,\n',
      options: { relax_column_count: true },
      expected: [{ a: '1' }, { a: '2', b: '3' }, { a: '' }, { a: '4', b: '5' }, { a: '7', b: '' }],
    },
    'rows of different lengths, without columns': {
      content: '1,2\n3\n4,5,6\n7,8\n',
      options: { columns: false, relax_column_count_less: true, relax_column_count_more: true },
      expected: [['1', '2'], ['3'], ['4', '5', '6'], ['7', '8']],
    },
    'comments and empty lines everywhere': {
      content: '# one\n\n# two\na,b\n\n#x,y\n1,"#2"\n# "\n\n3,4 # five\n\n#\n\n6,7\n\n# "end',
      options: { comment: '#', skip_empty_lines: true, trim: true },
      expected: [
        { a: '1', b: '#2' },
        { a: '3', b: '4' },
        { a: '6', b: '7' },
      ],
    },
    'comments of whole lines only': {
      content: 'a,b\n1,2 // 3\n// 4,5\n6,//\n',
      options: { comment: '//', comment_no_infix: true },
      expected: [
        { a: '1', b: '2 // 3' },
        { a: '6', b: '//' },
      ],
    },
    'several record delimiters, some on one line': {
      content: 'a,b\n1,2|3,4\r\n5,"|"|6,7\n8,"\r\n"|9,0',
      options: { record_delimiter: ['\r\n', '|', '\n'] },
      expected: ['1,2', '3,4', '5,|', '6,7', '8,\r\n', '9,0'].map((line) => {
        const [a, b] = line.split(',');
        return { a, b };
      }),
    },
    'record delimiters | and ||, the shorter first': {
      content: 'a|b||c|d',
      options: { record_delimiter: ['|', '||'], columns: false },
      expected: [['a'], ['b'], [''], ['c'], ['d']],
    },
    'record delimiters || and |, the longer first': {
      content: 'a|b||c|d||e',
      options: { record_delimiter: ['||', '|'], columns: false },
      expected: [['a'], ['b'], ['c'], ['d'], ['e']],
    },
    'delimiters of several characters, one not ASCII': {
      content: 'a¦¦b\n1¦¦"¦¦"\n¦2::3¦\n',
      options: { delimiter: ['¦¦', '::'] },
      expected: [
        { a: '1', b: '¦¦' },
        { a: '¦2', b: '3¦' },
      ],
    },
    'another quote, escaped by a backslash': {
      content: "a,b\n'\\'\n\\\\',\\\n'\\'','\"'\n",
      options: { quote: "'", escape: '\\' },
      expected: [
        { a: "'\n\\", b: '\\' },
        { a: "'", b: '"' },
      ],
    },
    'no quotes at all': {
      content: 'a,b\n"1,2"\n",""\n',
      options: { quote: null },
      expected: [
        { a: '"1', b: '2"' },
        { a: '"', b: '""' },
      ],
    },
    'quotes in the middle of fields': {
      content: 'a,b\n1"2,"3" 4\n5,"6""7"\n',
      options: { relax_quotes: true },
      expected: [
        { a: '1"2', b: '"3" 4' },
        { a: '5', b: '6"7' },
      ],
    },
    'columns with the same name, in groups': {
      content: 'a,b,a,a\n1,2,3,4\n5,6,7,8\n',
      options: { group_columns_by_name: true },
      expected: [
        { a: ['1', '3', '4'], b: '2' },
        { a: ['5', '7', '8'], b: '6' },
      ],
    },
    'given columns, one left out, no header': {
      content: '1,2,3\n4,5,6\n',
      options: { columns: ['a', null, { name: 'c' }] },
      expected: [
        { a: '1', c: '3' },
        { a: '4', c: '6' },
      ],
    },
    'columns by a function': {
      content: ' A ,B\n1,2\n3,4\n',
      options: { columns: (header: string[]) => header.map((name) => name.trim().toLowerCase()) },
      expected: [
        { a: '1', b: '2' },
        { a: '3', b: '4' },
      ],
    },
    'a preamble, from_line and to_line': {
      content: 'This file, is\n\nodd,\na,b\n1,"2\n3"\n4,5\n6,7\n8,9\n',
      options: { from_line: 4, to_line: 8 },
      expected: [
        { a: '1', b: '2\n3' },
        { a: '4', b: '5' },
        { a: '6', b: '7' },
      ],
    },
    'from and to as strings': {
      content: 'a\n1\n2\n3\n4\n5\n6\n',
      options: { from: '2', to: '5' },
      expected: [{ a: '2' }, { a: '3' }, { a: '4' }, { a: '5' }],
    },
    'broken records everywhere': {
      content: 'a,b\n0\n1,2\n3,4,5\n6"7,x\n8,9\n"10\n",11\n12\n13,14\n15',
      options: { skip_records_with_error: true },
      expected: [
        { a: '1', b: '2' },
        { a: '8', b: '9' },
        { a: '10\n', b: '11' },
        { a: '13', b: '14' },
      ],
    },
    'records without values everywhere': {
      content: ',\na,b\n,\n1,2\n" ","\t"\n3,\n,\n',
      options: { skip_records_with_empty_values: true },
      expected: [
        { a: '1', b: '2' },
        { a: '3', b: '' },
      ],
    },
    'raw text and a name for each record': {
      content: 'id,b\r\nx,"1\r\n"\r\ny,2\r\n',
      options: { raw: true, objname: 'id' },
      expected: [
        ['x', { record: { id: 'x', b: '1\r\n' }, raw: 'x,"1\r\n"\r' }],
        ['y', { record: { id: 'y', b: '2' }, raw: 'y,2\r' }],
      ],
    },
    'a last field that keeps its delimiters': {
      content: 'a,b\n1,2,3,\n4,,5\n',
      options: { ignore_last_delimiters: true },
      expected: [
        { a: '1', b: '2,3,' },
        { a: '4', b: ',5' },
      ],
    },
    'blanks around everything': {
      since: 7,
      content: ' a ,\tb\n  1 , " 2 " \n\u00a03\u00a0,4\t\n',
      options: { trim: true },
      expected: [
        { a: '1', b: ' 2 ' },
        { a: '3', b: '4' },
      ],
    },
    'a CR that is not a line end': {
      content: 'a\n1\r\n2\n\r\n',
      expected: [{ a: '1\r' }, { a: '2' }, { a: '\r' }],
    },
    'records larger than a chunk and the head': {
      content: `a,b\n"${long}",1\nx,2\n"${long}""",3\ny,"${long}"\n`,
      expected: [
        { a: long, b: '1' },
        { a: 'x', b: '2' },
        { a: `${long}"`, b: '3' },
        { a: 'y', b: long },
      ],
    },
    'a header larger than the head': {
      content: `"${long}"\n1\n2\n"${long}"\n3\n`,
      expected: ['1', '2', long, '3'].map((value) => ({ [long]: value })),
    },
    'context arguments of cast and on_record': {
      content: 'a,b\r\n1,"2\r\n"\r\n3,4\r\n5,6\r\n',
      options: {
        cast: (value, { header, column, records, lines, bytes }) =>
          header ? value : `${value.trim()} ${String(column)} ${records} ${lines} ${bytes}`,
        on_record: (record: object, { records, lines, bytes }) => ({ ...record, at: [records, lines, bytes] }) as never,
      },
      expected: [
        { a: '1 a 0 2 6', b: '2 b 0 4 12', at: [1, 4, 14] },
        { a: '3 a 1 5 15', b: '4 b 1 5 17', at: [2, 5, 19] },
        { a: '5 a 2 6 20', b: '6 b 2 6 22', at: [3, 6, 24] },
      ],
    },
  };
}
