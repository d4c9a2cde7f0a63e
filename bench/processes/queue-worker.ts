/**
 * A Nest application with a BullMQ worker: `ours`, jobs over the entries of a table and over an array; `bare`, the same
 * done by a plain processor. Both load the same packages.
 */
import { BullModule, Processor, WorkerHost } from '@nestjs/bullmq';
import { Module, type Provider } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { Job } from 'bullmq';
import {
  type BuildContext,
  BuildEnumerator,
  EachIteration,
  EnumeratorBuilder,
  type IterationContext,
  IterationModule,
  IterativeProcessor,
  OnIteration,
} from '../../lib/index.js';
import { Entries, type Entry } from '../entries.js';
import { config, type Place, send } from './message.js';

/** The configuration that the bench gives the process. */
export interface QueueWorkerConfig {
  readonly place: Place;
  readonly queue: string;
  readonly contender: 'ours' | 'bare';
  /** Without a database, jobs iterate over arrays. */
  readonly databaseUrl?: string;
}

/** Reported when the worker waits for jobs. */
export type Ready = { readonly peakBytes: number };

/** Reported at the end of a batch of jobs, with the totals of the batch. */
export type Complete = Ready & { readonly items: number; readonly queries: number };

export interface JobData {
  /** How many entries, or items of an array. */
  readonly items: number;
  /** The worker reports when a batch has begun and when it is complete. */
  readonly batch: string;
  /** The last job of its batch. */
  readonly isLast: boolean;
}

const { contender, databaseUrl, place, queue } = config<QueueWorkerConfig>();
const entries = databaseUrl === undefined ? undefined : new Entries(databaseUrl);

/** Items handled in the running batch. */
let handled: number | undefined;

function begin({ batch }: JobData): void {
  if (handled === undefined) send(`began ${batch}`);
  handled ??= 0;
}

function complete(items: number, { batch, isLast }: JobData): void {
  handled = (handled ?? 0) + items;
  if (!isLast) return;
  const facts: Complete = { items: handled, queries: entries?.queries ?? 0, peakBytes: peakBytes() };
  send(`complete ${batch}`, { ...facts });
  handled = undefined;
}

function peakBytes(): number {
  return process.resourceUsage().maxRSS * 1_024;
}

function handle(_item: Entry | number): void {}

@IterativeProcessor(queue)
class Iterative {
  constructor(private readonly enumerators: EnumeratorBuilder) {}

  @BuildEnumerator()
  build({ cursor, data }: BuildContext<JobData, number>) {
    const { items } = data;
    begin(data);
    if (!entries)
      return this.enumerators.array<Entry | number>(
        Array.from({ length: items }, (_, n) => n),
        { cursor },
      );
    return this.enumerators.keyset<Entry | number, number>({
      cursor,
      fetch: (after, limit) => entries.page(after ?? 0, { last: items, limit }),
      key: (entry) => (entry as Entry).id,
    });
  }

  @EachIteration()
  each(item: Entry | number) {
    handle(item);
  }

  @OnIteration('complete')
  complete({ data, processed }: IterationContext<JobData>) {
    complete(processed, data);
  }
}

@Processor(queue)
class Bare extends WorkerHost {
  async process({ data }: Job<JobData>): Promise<void> {
    const { items } = data;
    begin(data);
    if (entries) return complete(await entries.over(items, handle), data);
    const array = Array.from({ length: items }, (_, n) => n);
    for (const item of array) handle(item);
    complete(array.length, data);
  }
}

const providers: readonly Provider[] = contender === 'ours' ? [Iterative] : [Bare];

@Module({
  imports: [
    BullModule.forRoot(place),
    BullModule.registerQueue({ name: queue }),
    ...(contender === 'ours' ? [IterationModule] : []),
  ],
  providers: [...providers],
})
class WorkerModule {}

const app = await NestFactory.createApplicationContext(WorkerModule, { logger: ['error'] });
app.enableShutdownHooks();
send('ready', { peakBytes: peakBytes() } satisfies Ready);
