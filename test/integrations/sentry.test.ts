import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { SentryConfig } from '../processes/sentry.js';
import { BACKENDS, describeQueues } from '../support/app.js';
import { WorkerProcess } from '../support/processes.js';
import { until } from '../support/until.js';

/** What Sentry's package sends of an error. */
interface SentryEvent {
  readonly type?: 'transaction';
  readonly transaction?: string;
  readonly tags?: object;
  readonly contexts?: { readonly trace?: { readonly op?: string } };
  readonly exception?: {
    readonly values: readonly { readonly type: string; readonly value: string; readonly mechanism: { type: string } }[];
  };
}

const received: SentryEvent[] = [];
let sentry: Server;
beforeAll(async () => {
  sentry = createServer(async (request, response) => {
    const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(await buffer(request)) : undefined;
    const lines = (body?.toString() ?? (await text(request))).split('\n').filter(Boolean);
    received.push(...lines.map((line) => JSON.parse(line) as SentryEvent));
    response.end('{}');
  }).listen(0, '127.0.0.1');
  await once(sentry, 'listening');
});
afterAll(() => sentry.close());

async function buffer(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

describeQueues('Sentry', BACKENDS, (queues) => {
  it('R38: a failed run is reported once with its own scope, and an interruption is not', async () => {
    received.length = 0;
    const { port } = sentry.address() as AddressInfo;
    const { backend, place } = queues;
    const app = await queues.start({ iteration: { workers: false } });
    const worker = new WorkerProcess<SentryConfig>({ backend, place }, 'sentry', {
      node: ['--import', '@sentry/server-utils/orchestrion/import-hook'],
      env: { SENTRY_DSN: `http://key@127.0.0.1:${port}/1` },
    });
    try {
      await worker.said(/^ready$/);
      const jobs = await app.queue().addBulk([
        { name: 'tagged', data: {} },
        { name: 'plain', data: {} },
      ]);
      for (const job of jobs) await app.settled(job);
      const errors = await until('both errors are reported', () => {
        const events = received.filter(({ exception }) => exception);
        return events.length >= 2 && events;
      });
      worker.signal('SIGTERM');
      await worker.exited; // what Sentry holds is sent by then
      const shown = errors.map(({ exception, tags = {} }) => [exception?.values[0], tags] as const);
      const of = (name: string) => ({
        type: 'RangeError',
        value: `bad ${name}`,
        mechanism: expect.objectContaining({ type: 'auto.queue.nestjs.bullmq', handled: false }),
      });
      expect(shown).toHaveLength(2);
      expect(shown).toEqual(
        expect.arrayContaining([
          [expect.objectContaining(of('tagged')), { customer: '42' }],
          [expect.objectContaining(of('plain')), {}],
        ]),
      );
      for (const [exception, tags] of shown)
        console.log(JSON.stringify([exception?.value, exception?.mechanism, tags]));
      const runs = received.filter(
        ({ contexts, type }) => type === 'transaction' && contexts?.trace?.op === 'queue.process',
      );
      console.log(runs.map(({ transaction }) => transaction).join(', '));
    } finally {
      await worker.kill();
    }
  });
});
