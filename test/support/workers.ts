import { BullModule } from '@nestjs/bullmq';
import { Worker } from 'bullmq';
import { afterEach, beforeEach } from 'vitest';

/** The BullMQ workers that are made in each test of the suite, by `BullModule.workerClass`. */
export function recordWorkers(): Worker[] {
  const workers: Worker[] = [];
  beforeEach(() => {
    workers.length = 0;
    BullModule.workerClass = class extends Worker {
      constructor(...args: ConstructorParameters<typeof Worker>) {
        super(...args);
        workers.push(this as Worker);
      }
    } as typeof Worker;
  });
  afterEach(() => {
    BullModule.workerClass = Worker;
  });
  return workers;
}
