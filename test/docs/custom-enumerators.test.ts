import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BuildContext, Cursor, Enumerator } from '../../lib/index.js';
import { Compiled } from '../support/compile.js';
import { temporaryFiles } from '../support/csv.js';
import { itKeepsTheEnumeratorContract } from '../support/enumerator-contract.js';
import { modulesOf } from './pages.js';

let compiled: Compiled;
beforeAll(() => {
  compiled = new Compiled(modulesOf('custom-enumerators'));
});
afterAll(() => compiled.remove());

const module = async <Exports>(name: string) => (await compiled.import(`custom-enumerators/${name}`)) as Exports;

type LogLines = new (path: string, options: { bytes: number; cursor: Cursor }) => Enumerator<string>;

describe('the sources of docs/custom-enumerators.md', () => {
  const fileOf = temporaryFiles();
  const lines = ['one', '', 'Zürich', 'four'];
  const text = `${lines.join('\n')}\n`;
  const path = fileOf(text);
  const bytes = Buffer.byteLength(text);
  const logLines = async (cursor: Cursor) =>
    new (await module<{ LogLines: LogLines }>('log-lines')).LogLines(path, { bytes, cursor });
  itKeepsTheEnumeratorContract('LogLines', {
    size: 'none',
    build: ({ cursor }) => logLines(cursor),
    expected: lines,
  });

  it('LogLines: the fraction of its last cursor is 1', async () => {
    const log = await logLines(null);
    let last: Cursor = null;
    for await (const [, cursor] of log) last = cursor;
    expect([last, log.fraction?.(last)]).toEqual([bytes, 1]);
  });

  it('LogLines: lines that are added later are not read', async () => {
    const longer = fileOf(`${text}five\n`);
    const { LogLines } = await module<{ LogLines: LogLines }>('log-lines');
    const read: string[] = [];
    for await (const [line] of new LogLines(longer, { bytes, cursor: null })) read.push(line);
    expect(read).toEqual(lines);
  });

  const keys = Array.from({ length: 2_500 }, (_, index) => String(index).padStart(5, '0'));
  const bucket = {
    list: async ({ after, limit }: { after: string | null; limit: number }) => {
      const start = after === null ? 0 : keys.findIndex((key) => key > after);
      return start === -1 ? [] : keys.slice(start, start + limit).map((key) => ({ key }));
    },
  };
  interface Checking {
    readonly CheckObjects: new (
      bucket: object,
    ) => { build(context: BuildContext): AsyncIterable<[{ key: string }, string]> };
  }

  it.each([null, '00000', '00999', '01000', '02498', '02499'])('CheckObjects starts after %s', async (cursor) => {
    const { CheckObjects } = await module<Checking>('check-objects.processor');
    const context = { cursor, data: { prefix: '' } } as unknown as BuildContext;
    const listed: string[] = [];
    for await (const [, at] of new CheckObjects(bucket).build(context)) listed.push(at);
    expect(listed).toEqual(cursor === null ? keys : keys.filter((key) => key > cursor));
  });

  it('the test of log-lines.spec passes', async () => {
    const tests = await compiled.testsOf('custom-enumerators/log-lines.spec');
    expect(tests).toHaveLength(1);
    for (const [, run] of tests) await run();
  });
});
