import { BullModule } from '@nestjs/bullmq';
import { Worker, type WorkerOptions } from 'bullmq';
import { afterEach, beforeEach } from 'vitest';

/** The `name` of a worker that lets its locks expire, which the library itself refuses to be asked for. */
export const NEVER_RENEWS = 'never renews its locks';

/** The BullMQ workers that are made in each test of the suite, by `BullModule.workerClass`. */
export function recordWorkers(): Worker[] {
  const workers: Worker[] = [];
  beforeEach(() => {
    workers.length = 0;
    BullModule.workerClass = class extends Worker {
      constructor(...[name, processor, options]: ConstructorParameters<typeof Worker>) {
        const given = options as WorkerOptions;
        super(name, processor, given.name === NEVER_RENEWS ? { ...given, skipLockRenewal: true } : given);
        workers.push(this as Worker);
      }
    } as typeof Worker;
  });
  afterEach(() => {
    BullModule.workerClass = Worker;
  });
  return workers;
}
