import type { INestApplicationContext, Type } from '@nestjs/common';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { describeQueues, type TestApp } from '../support/app.js';
import { Compiled } from '../support/compile.js';
import { until } from '../support/until.js';
import { modulesOf } from './pages.js';

interface OneShot {
  readonly Nightly: Type<{ handle(step: number): Promise<void> }>;
  readonly Application: Type<{ started(app: Pick<INestApplicationContext, 'close'>): void }>;
}

let compiled: Compiled;
let exitCode: typeof process.exitCode;
beforeAll(() => {
  compiled = new Compiled(modulesOf('shutdown'));
});
afterAll(() => compiled.remove());
afterEach(() => vi.restoreAllMocks());

describeQueues('the one-shot worker of docs/shutdown.md', ['redis'], (queues) => {
  afterEach(() => {
    process.exitCode = exitCode;
  });

  it.each([
    ['completed', undefined, () => {}],
    [
      'failed',
      1,
      () => {
        throw new Error('no such step');
      },
    ],
  ] as const)('it closes its application when the job has %s, with the exit code %s', async (state, code, handle) => {
    const { Nightly } = (await compiled.import('shutdown/nightly.processor')) as OneShot;
    const { Application } = (await compiled.import('shutdown/application')) as OneShot;
    vi.spyOn(Nightly.prototype, 'handle').mockImplementation(async () => handle());
    exitCode = process.exitCode;
    const producer = await queues.start({ queues: ['nightly'], iteration: { workers: false } });
    const worker: TestApp = await queues.start({ processors: [Application, Nightly], queues: ['nightly'] });
    const job = await producer.queue('nightly').add('nightly', {});

    let hasClosed = false;
    worker.nest.get(Application).started({
      close: async () => {
        await worker.close();
        hasClosed = true;
      },
    } as INestApplicationContext);
    await until('the application has closed', () => hasClosed);
    await producer.settled(job);
    expect([await job.getState(), process.exitCode]).toEqual([state, code]);
  });
});
