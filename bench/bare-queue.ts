import { type Job, Queue, QueueEvents, Worker, type WorkerOptions } from 'bullmq';
import type { BenchApp } from './app.js';

/** A queue with a plain BullMQ worker, next to the queue of an application. */
export interface BareQueue {
  readonly queue: Queue;
  readonly worker: Worker;
  readonly events: QueueEvents;
  close(): Promise<void>;
}

export async function openBareQueue(
  { place }: Pick<BenchApp, 'place'>,
  name: string,
  process: (job: Job) => Promise<unknown>,
  options: Omit<WorkerOptions, 'connection' | 'prefix'> = {},
): Promise<BareQueue> {
  const queue = new Queue(name, place);
  const worker = new Worker(name, process, { ...options, ...place });
  const events = new QueueEvents(name, place);
  await Promise.all([worker.waitUntilReady(), events.waitUntilReady()]);
  return {
    queue,
    worker,
    events,
    close: async () => {
      await Promise.all([worker.close(), events.close()]);
      await queue.obliterate({ force: true });
      await queue.close();
    },
  };
}
