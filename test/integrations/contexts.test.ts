import { Writable } from 'node:stream';
import { BullModule } from '@nestjs/bullmq';
import { Injectable, Logger, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ClsModule, ClsService } from 'nestjs-cls';
import { LoggerModule, Logger as PinoNestLogger } from 'nestjs-pino';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import {
  type BuildContext,
  BuildEnumerator,
  EachIteration,
  EnumeratorBuilder,
  type IterationContext,
  IterationModule,
  IterationService,
  IterativeProcessor,
  OnIteration,
} from '../../lib/index.js';
import { BACKENDS, describeQueues } from '../support/app.js';
import { until } from '../support/until.js';
import { logWithJob, runInCls } from './recipes/contexts.js';

interface Line {
  readonly job?: string;
  readonly run?: number;
  readonly msg: string;
}

const lines: Line[] = [];
const sink = new Writable({
  write(chunk: Buffer, _, done) {
    lines.push(
      ...chunk
        .toString()
        .trim()
        .split('\n')
        .map((line): Line => JSON.parse(line)),
    );
    done();
  },
});
/** One for all tests: nestjs-pino keeps the first one of a process. */
const logger = pino(sink);

describeQueues('contexts of other packages', BACKENDS, (queues) => {
  it('R38: nestjs-cls has a context of its own in build, items and hooks of each run', async () => {
    const seen: [where: unknown, tenant: string, inContext: unknown][] = [];
    @Injectable()
    @IterativeProcessor({ queue: 'jobs', worker: { concurrency: 2 } })
    class OfTenant {
      constructor(
        private readonly enumerators: EnumeratorBuilder,
        private readonly cls: ClsService,
      ) {}

      @BuildEnumerator()
      build({ cursor, data }: BuildContext<{ tenant: string }>) {
        seen.push(['build', data.tenant, this.cls.get('tenant')]);
        return this.enumerators.times(2, { cursor });
      }

      @EachIteration()
      async each(item: number, { data, retryIn }: IterationContext<{ tenant: string }>) {
        seen.push([item, data.tenant, this.cls.get('tenant')]);
        if (item === 0) retryIn(0);
      }

      @OnIteration('complete')
      complete({ data }: IterationContext<{ tenant: string }>) {
        seen.push(['complete', data.tenant, this.cls.get('tenant')]);
      }
    }
    const app = await queues.start({
      processors: [OfTenant],
      imports: [ClsModule.forRoot({ global: true })],
      iteration: { aroundRun: runInCls },
    });
    const tenants = ['north', 'south'];
    const jobs = await Promise.all(tenants.map((tenant) => app.iterations.enqueue(OfTenant, { tenant })));
    for (const job of jobs) await app.settled(job);
    for (const tenant of tenants) {
      const own = seen.filter(([, known]) => known === tenant);
      expect(own).toEqual(['build', 0, 'build', 1, 'complete'].map((where) => [where, tenant, tenant]));
    }
  });

  it('R38: nestjs-pino names the job and its run in every line of a run, also in those of the library', async () => {
    lines.length = 0;
    @Injectable()
    @IterativeProcessor({ queue: 'jobs' })
    class Logging {
      readonly #logger = new Logger(Logging.name);

      constructor(private readonly enumerators: EnumeratorBuilder) {}

      @BuildEnumerator()
      build({ cursor }: BuildContext) {
        return this.enumerators.times(2, { cursor });
      }

      @EachIteration()
      each(item: number, { retryIn }: IterationContext) {
        this.#logger.log(`item ${item}`);
        if (item === 0) retryIn(0);
      }
    }
    @Module({
      imports: [
        BullModule.forRoot(queues.place as never),
        BullModule.registerQueue({ name: 'jobs' }),
        IterationModule.forRoot({ aroundRun: logWithJob(logger) }),
        LoggerModule.forRoot({ pinoHttp: { logger } }),
      ],
      providers: [Logging],
    })
    class Root {}
    const app = await NestFactory.createApplicationContext(Root, { bufferLogs: true });
    app.useLogger(app.get(PinoNestLogger));
    const job = await app.get(IterationService).enqueue(Logging, {}, { jobId: 'of-pino' });
    await until('the job has ended', async () => (await job.isCompleted()) || (await job.isFailed()));
    await app.close();
    const shown = lines.filter(({ msg }) => /^(item|Job)/.test(msg)).map(({ job: id, run, msg }) => [id, run, msg]);
    expect(shown).toEqual([
      ['of-pino', 1, expect.stringMatching(/^Job of-pino .* started$/)],
      ['of-pino', 1, 'item 0'],
      ['of-pino', 1, expect.stringMatching(/^Job of-pino .* interrupted \(retryIn\)/)],
      ['of-pino', 2, expect.stringMatching(/^Job of-pino .* resumed after 0/)],
      ['of-pino', 2, 'item 1'],
      ['of-pino', 2, expect.stringMatching(/^Job of-pino .* completed: 2 items/)],
    ]);
    for (const line of shown) console.log(line.join(' | '));
  });
});
