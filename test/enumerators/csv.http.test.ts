import { describe, expect, it } from 'vitest';
import { CsvEnumeratorBuilder } from '../../lib/enumerators/csv/csv.enumerator.js';
import { all, drain, httpServer, items, largeCsv } from '../support/csv.js';
import { itKeepsTheEnumeratorContract } from '../support/enumerator-contract.js';
import { readerOf } from '../support/pages.js';
import { until } from '../support/until.js';

const csv = new CsvEnumeratorBuilder();
const large = largeCsv();
const expected = Array.from({ length: 100 }, (_, index) => `${index}`);
const identify = (row: Record<string, string>) => row.id;

describe('csv over HTTP', () => {
  const http = httpServer();
  const served = () => http.serve(large);

  itKeepsTheEnumeratorContract('csv.rows of HTTP range requests', {
    size: 'none',
    build: (at) => {
      served();
      return csv.rows(http.source, at);
    },
    identify,
    expected,
    stretches: 4,
  });

  itKeepsTheEnumeratorContract('csv.batches of HTTP range requests', {
    size: 'none',
    build: (at) => {
      served();
      return csv.batches(http.source, { ...at, batchSize: 7 });
    },
    identify: (rows) => rows.map(identify).join(),
    records: (rows) => rows.map(identify),
    expected: Array.from({ length: 15 }, (_, batch) => expected.slice(batch * 7, batch * 7 + 7).join()),
    stretches: 4,
  });

  it('a first run sends one request, for the whole file', async () => {
    const requests = served();
    expect(await items(csv.rows(http.source, { cursor: null }))).toHaveLength(100);
    expect(requests.map(({ range, bytes }) => ({ range, bytes }))).toEqual([
      { range: 'bytes=0-', bytes: large.length },
    ]);
  });

  it('a resumed run requests the head, then the rest from 4 KB before the cursor', async () => {
    const row = `${'x'.repeat(1022)}\n`;
    const bytes = Buffer.from(`a${row}${`1${row}`.repeat(32 * 1024)}`);
    http.serve(bytes);
    const whole = csv.batches(http.source, { cursor: null, batchSize: 32_000 });
    const [[, cursor] = []] = await all(whole);
    const requests = http.serve(bytes);
    expect((await items(csv.rows(http.source, { cursor: cursor as never }))).length).toBe(768);
    expect(requests.map(({ range }) => range)).toEqual(['bytes=0-', `bytes=${32_001 * 1024 - 4096}-`]);
    const [head, rest] = requests as [(typeof requests)[0], (typeof requests)[0]];
    // The server sends only what the socket buffers of both sides hold, not the 32 MB.
    expect(head.finished).toBe(false);
    expect(head.bytes).toBeLessThan(bytes.length / 2);
    expect(rest.bytes).toBe(768 * 1024 + 4096);
  });

  it('csv.rows rejects with the connection error if the response is cut off', async () => {
    served();
    const reader = readerOf(csv.rows(http.cutOff, { cursor: null }));
    await expect(drain(reader)).rejects.toThrow('aborted');
    await reader.close();
  });

  it('close() closes the connection at once while the response stalls', async () => {
    served();
    const reader = readerOf(csv.rows(http.stalled, { cursor: null }));
    const taken: unknown[] = [];
    const reading = (async () => {
      for (let page = await reader.next(); page; page = await reader.next()) taken.push(...page.items);
    })();
    const rejected = expect(reading).rejects.toThrow();
    await until('60 records come', () => taken.length > 60);
    await reader.close();
    await rejected;
    await until('the connection is closed', async () => (await http.connections()) === 0);
  });
});
