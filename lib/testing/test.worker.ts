import type { INestApplicationContext } from '@nestjs/common';
import { filter, firstValueFrom } from 'rxjs';
import { IterationService, type IterationState, type IterationStatus, type JobRef } from '../control/index.js';
import { IterationError } from '../iteration.errors.js';
import { type QueueWorker, WorkerRegistrar } from '../worker/index.js';

/** The worker of a queue in an application that has started: a test does to it what happens in production. */
export class TestWorker {
  readonly #registrar: WorkerRegistrar;
  readonly #queue: string;

  private constructor(registrar: WorkerRegistrar, queue: string) {
    this.#registrar = registrar;
    this.#queue = queue;
  }

  /** @throws IterationError when the application runs no worker of the queue */
  static of(app: INestApplicationContext, queue: string): TestWorker {
    const registrar = app.get(WorkerRegistrar, { strict: false });
    if (registrar.workerOf(queue)) return new TestWorker(registrar, queue);
    throw new IterationError(
      `The application runs no worker of the queue "${queue}". Has it started (app.init()), and does a processor name the queue?`,
    );
  }

  get #worker(): QueueWorker {
    return this.#registrar.workerOf(this.#queue) as QueueWorker;
  }

  /** As a deploy does: takes no further job, finishes the items in flight, and puts their jobs back. */
  async interrupt(): Promise<void> {
    await this.#worker.stop();
  }

  /** Takes jobs again, after {@link interrupt}. */
  resume(): void {
    this.#registrar.restart(this.#queue);
  }

  /**
   * As when the process is killed, as far as one process can: runs end without a checkpoint, and their jobs stay active until
   * BullMQ finds them stalled. That takes the `lockDuration` of the worker (7 s) and two of its `stalledInterval` (1 s): set both
   * lower in a test. The handlers in flight are not killed: they end by themselves.
   */
  loseLocks(): void {
    this.#worker.loseLocks();
  }
}

/**
 * Resolves with the job's status when it is in one of the states, by BullMQ's own events. A state that the job leaves at once may be
 * missed: wait for one that lasts.
 *
 * @throws IterationError when the job ends in another state
 */
export async function untilState(
  app: INestApplicationContext,
  job: JobRef,
  ...states: readonly IterationState[]
): Promise<IterationStatus> {
  const service = app.get(IterationService, { strict: false });
  let last: IterationStatus | undefined;
  const seen = service.watch(job).pipe(
    filter((status) => {
      last = status;
      return states.includes(status.state);
    }),
  );
  const reached = await firstValueFrom(seen, { defaultValue: undefined });
  if (reached) return reached;
  const reason = last?.failedReason ? `: ${last.failedReason}` : '';
  throw new IterationError(
    `Job "${job.id}" is ${last?.state ?? 'unknown'}, and the test waits for ${states.join(' or ')}${reason}`,
  );
}
