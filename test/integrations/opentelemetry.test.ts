import { BullModule } from '@nestjs/bullmq';
import { Module } from '@nestjs/common';
import { context, metrics, propagation, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import {
  AlwaysOnSampler,
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  type Sampler,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { BullMQOtel } from 'bullmq-otel';
import { afterEach, expect, it } from 'vitest';
import { IterationModule } from '../../lib/index.js';
import { BACKENDS, describeQueues } from '../support/app.js';
import { storyProcessor } from '../support/story.js';
import { until } from '../support/until.js';
import { measureJobs, traceRun, WithoutStalledChecks } from './recipes/opentelemetry.js';

afterEach(() => {
  for (const api of [context, metrics, propagation, trace]) api.disable();
});

/** Spans as an operator's backend receives them. */
function exportSpans(sampler: Sampler): InMemorySpanExporter {
  const exporter = new InMemorySpanExporter();
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  trace.setGlobalTracerProvider(
    new BasicTracerProvider({ sampler, spanProcessors: [new SimpleSpanProcessor(exporter)] }),
  );
  return exporter;
}

describeQueues('OpenTelemetry', BACKENDS, (queues) => {
  async function start(type: ReturnType<typeof storyProcessor>['type']) {
    @Module({
      imports: [
        BullModule.forRoot({ ...queues.place, telemetry: new BullMQOtel({ tracerName: 'app' }) } as never),
        BullModule.registerQueue({ name: 'jobs' }),
        IterationModule.forRoot({ aroundRun: traceRun }),
      ],
      providers: [type],
    })
    class Root {}
    return queues.startModule(Root);
  }

  it("R38: each run has a span within BullMQ's own, linked to the run before it", async () => {
    const exporter = exportSpans(new WithoutStalledChecks(new AlwaysOnSampler()));
    const { type } = storyProcessor({
      each: (letter, ctx) => {
        if (letter === 'b') ctx.retryIn(0);
        if (letter === 'd' && ctx.run === 2) throw new RangeError('bad d');
      },
    });
    const app = await start(type);
    const job = await app.settled(await app.iterations.enqueue(type, {}, { attempts: 2 }));
    const named = (name: string) => exporter.getFinishedSpans().filter((span) => span.name === name);
    const processed = await until('three spans of BullMQ have ended', () => {
      const spans = named('process jobs');
      return spans.length === 3 && spans;
    });
    const runs = named('run Story');
    const shown = runs.map(({ attributes, status, events }) => [attributes, status.message, events.length]);
    const facts = { 'iteration.queue': 'jobs', 'iteration.job': job.id };
    expect(shown).toEqual([
      [{ ...facts, 'iteration.run': 1, 'iteration.outcome': 'interrupt', 'iteration.reason': 'retryIn' }, undefined, 0],
      [{ ...facts, 'iteration.run': 2, 'iteration.outcome': 'retry' }, 'bad d', 1],
      [{ ...facts, 'iteration.run': 3, 'iteration.outcome': 'complete' }, undefined, 0],
    ]);
    const idOf = (span?: ReadableSpan) => span?.spanContext().spanId;
    expect(runs.map(({ links }) => links.map((link) => link.context.spanId))).toEqual([
      [],
      [idOf(runs[0])],
      [idOf(runs[1])],
    ]);
    expect(runs.map(({ parentSpanContext }) => parentSpanContext?.spanId)).toEqual(processed.map(idOf));
    print(exporter.getFinishedSpans());
  });

  it("R38: BullMQ's span of each stalled check is named as the docs say, and the sampler leaves it out", async () => {
    const { type } = storyProcessor();
    const all = exportSpans(new AlwaysOnSampler());
    const app = await start(type);
    const isCheck = ({ name }: ReadableSpan) => name.startsWith('moveStalledJobsToWait ');
    await until('a stalled check has a span', () => all.getFinishedSpans().some(isCheck));
    await app.close();
    trace.disable();
    const exporter = exportSpans(new WithoutStalledChecks(new AlwaysOnSampler()));
    const other = await start(type);
    await other.settled(await other.iterations.enqueue(type, {}));
    expect(exporter.getFinishedSpans().map(({ name }) => name)).toContain('run Story');
    expect(exporter.getFinishedSpans().filter(isCheck)).toEqual([]);
  });

  it('items, failures, dead letters and lag are metrics', async () => {
    const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
    const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
    metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));
    measureJobs();
    const { type } = storyProcessor(
      {
        each: (letter) => {
          if (letter === 'c') throw new Error('bad c');
        },
      },
      { itemFailure: { attempts: 2, backoffMs: 0, then: 'skip' } },
    );
    const app = await queues.start({ processors: [type] });
    await app.settled(await app.iterations.enqueue(type, {}));
    await reader.forceFlush();
    const [exported] = exporter.getMetrics().slice(-1);
    const measured = exported?.scopeMetrics.flatMap(({ metrics: each }) => each) ?? [];
    const values = Object.fromEntries(
      measured.map(({ dataPoints, descriptor }) => [descriptor.name, dataPoints[0]?.value]),
    );
    expect(values).toEqual({
      'iteration.items': 5,
      'iteration.item.failures': 2,
      'iteration.item.skips': 1,
      'iteration.wait': expect.objectContaining({ count: 1 }),
      'iteration.checkpoint.lag': expect.objectContaining({ count: expect.any(Number) }),
    });
    console.log(JSON.stringify(values));
  });
});

/** What an operator sees of the traces, in the order in which the spans ended. */
function print(spans: readonly ReadableSpan[]): void {
  for (const { attributes, links, name } of spans.filter(({ name }) => /^(run|process) /.test(name))) {
    const { 'iteration.outcome': outcome = '', 'iteration.reason': reason = '' } = attributes;
    console.log([name, outcome, reason, ...links.map((link) => `linked to ${link.context.spanId}`)].join(' '));
  }
}
