import { BullModule } from '@nestjs/bullmq';
import { Worker, type WorkerOptions } from 'bullmq';
import { afterEach, beforeEach } from 'vitest';

/** The `name` of a worker that lets its locks expire: the library refuses the option for it. */
export const NEVER_RENEWS = 'never renews its locks';

/** Records the BullMQ workers that each test of the suite creates, by `BullModule.workerClass`. */
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
