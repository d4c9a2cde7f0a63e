import * as nest from '@nestjs/bullmq';
import type { Type } from '@nestjs/common';
import type { ModuleRef } from '@nestjs/core';
import type { Job } from 'bullmq';
import { controlErrorOf } from '../runtime/index.js';

/** BullMQ's processor of a queue. */
export type Process = (job: Job, token?: string, signal?: AbortSignal) => Promise<unknown>;

/** `ProcessorDecoratorService` of `@nestjs/bullmq`, which applications may replace. */
interface ProcessorDecorator {
  decorate(processor: Process): Process;
}

/**
 * Lets what watches `@Processor` classes watch a queue's runs (R38): tools such as Sentry patch the decorator and wrap the
 * method `process` of its classes, so the runs are called through such a class; and through `ProcessorDecoratorService`, as
 * `@nestjs/bullmq` calls processors.
 *
 * What ends a run without a failure (an interruption, or BullMQ's own control errors) reaches BullMQ as a thrown error. To
 * those that watch, such a run returns.
 */
export function watched(run: Process, { queue, moduleRef }: { queue: string; moduleRef: ModuleRef }): Process {
  const moves = new WeakMap<Job, unknown>();
  @nest.Processor(queue)
  class IterativeRuns {
    async process(job: Job, token?: string, signal?: AbortSignal): Promise<unknown> {
      try {
        return await run(job, token, signal);
      } catch (error) {
        if (!(error instanceof Error && controlErrorOf(error))) throw error;
        moves.set(job, error);
        return undefined;
      }
    }
  }
  const runs = new IterativeRuns();
  const process = runs.process.bind(runs);
  const decorated = decoratorOf(moduleRef)?.decorate(process) ?? process;
  // BullMQ gives the signal only to a function of three parameters.
  return async (job, token, signal) => {
    const result = await decorated(job, token, signal);
    if (moves.has(job)) throw moves.get(job);
    return result;
  };
}

/** Older releases of `@nestjs/bullmq` 11 have none. */
function decoratorOf(moduleRef: ModuleRef): ProcessorDecorator | undefined {
  const { ProcessorDecoratorService: token } = nest as unknown as {
    ProcessorDecoratorService?: Type<ProcessorDecorator>;
  };
  try {
    return token && moduleRef.get(token, { strict: false });
  } catch {
    return undefined;
  }
}
