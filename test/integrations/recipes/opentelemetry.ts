// opentelemetry.ts
import { context, metrics, propagation, SpanStatusCode, trace } from '@opentelemetry/api';
import type { Sampler } from '@opentelemetry/sdk-trace-base';
import { type AroundRun, iterationChannel } from 'nestjs-iteration';

/** A span for each run, linked to the job's run before it: `IterationModule.forRoot({ aroundRun: traceRun })`. */
export const traceRun: AroundRun = ({ carrier, job, previous, processor, run }, next) => {
  const before = previous && trace.getSpanContext(propagation.extract(context.active(), previous));
  const options = {
    links: before ? [{ context: before }] : [],
    attributes: { 'iteration.queue': job.queueName, 'iteration.job': job.id, 'iteration.run': run },
  };
  return trace.getTracer('nestjs-iteration').startActiveSpan(`run ${processor}`, options, async (span) => {
    propagation.inject(context.active(), carrier);
    const { error, outcome, reason } = await next();
    span.setAttributes({ 'iteration.outcome': outcome, ...(reason && { 'iteration.reason': reason }) });
    if (error instanceof Error) {
      span.recordException(error);
      span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
    }
    span.end();
  });
};

/** Counts items and failures of all jobs of this process, and measures how late they are. Called once, at start. */
export function measureJobs(): void {
  const meter = metrics.getMeter('nestjs-iteration');
  const items = meter.createCounter('iteration.items', { description: 'Items finished or skipped' });
  const failures = meter.createCounter('iteration.item.failures', { description: 'Tries of items that failed' });
  const skips = meter.createCounter('iteration.item.skips', { description: 'Dead letters' });
  const wait = meter.createHistogram('iteration.wait', {
    unit: 'ms',
    description: 'From a job added to its first run',
  });
  const lag = meter.createHistogram('iteration.checkpoint.lag', { unit: 'ms', description: 'Between two checkpoints' });
  iterationChannel('checkpoint').subscribe(({ items: count, processor, sinceMs }) => {
    items.add(count, { processor });
    lag.record(sinceMs, { processor });
  });
  iterationChannel('item.failure').subscribe(({ processor }) => failures.add(1, { processor }));
  iterationChannel('item.skip').subscribe(({ processor }) => skips.add(1, { processor }));
  iterationChannel('run.start').subscribe(({ processor, waitedMs }) => {
    if (waitedMs !== undefined) wait.record(waitedMs, { processor });
  });
}

/** BullMQ looks for stalled jobs once a second, with a span each time: this sampler leaves them out. */
export class WithoutStalledChecks implements Sampler {
  constructor(private readonly sampler: Sampler) {}

  shouldSample(...args: Parameters<Sampler['shouldSample']>): ReturnType<Sampler['shouldSample']> {
    const [, , name] = args;
    const notRecorded = { decision: 0 } as const;
    return name.startsWith('moveStalledJobsToWait ') ? notRecorded : this.sampler.shouldSample(...args);
  }

  toString(): string {
    return `WithoutStalledChecks(${this.sampler})`;
  }
}
