import type { Job, Worker } from 'bullmq';
import type { WorkerListener } from '../discovery/index.js';

/**
 * Calls the `@OnWorkerEvent` methods of a queue's processors. An event of a job comes only to the class that handles the job;
 * any other event comes to each class.
 *
 * @param owns Whether the class of a listener handles a job.
 */
export function listenToWorker(
  worker: Worker,
  listeners: readonly WorkerListener[],
  owns: (listener: WorkerListener, job: Job) => boolean,
): void {
  for (const listener of listeners) {
    worker.on(listener.event as 'active', (...args) => {
      const [job] = args as readonly unknown[];
      if (!isJob(job) || owns(listener, job)) listener.call(...args);
    });
  }
}

function isJob(value: unknown): value is Job {
  return typeof value === 'object' && value !== null && 'queueName' in value && 'name' in value;
}
