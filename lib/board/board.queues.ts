import { Injectable, NotFoundException, type Type } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { bullmqOf } from '../bullmq/index.js';
import { QueueFinder, type QueueProcessors, type RegisteredQueue, sameQueue } from '../discovery/index.js';
import { WorkerRegistrar } from '../worker/index.js';

/** A queue of the application, and how many jobs BullMQ has in each of its states. */
export interface BoardQueue {
  readonly name: string;
  readonly counts: Readonly<Record<string, number>>;
  /** Job names of the processors that this process knows: their jobs can be enqueued. */
  readonly processors: readonly string[];
}

/** The queues that the application registered, and the processors that it knows. */
@Injectable()
export class BoardQueues {
  constructor(private readonly moduleRef: ModuleRef) {}

  async list(): Promise<readonly BoardQueue[]> {
    const list = this.#registered().map(async (registered) => ({
      name: registered.name,
      counts: await registered.queue.getJobCounts(),
      processors: this.#processorsOf(registered).map(({ name }) => name),
    }));
    return (await Promise.all(list)).sort((one, other) => one.name.localeCompare(other.name));
  }

  /** @throws NotFoundException when this process knows no such processor */
  processor(queue: string, name: string): Type {
    const registered = this.#registered().find((candidate) => candidate.name === queue);
    const found = registered && this.#processorsOf(registered).find((candidate) => candidate.name === name);
    if (found) return found.type;
    throw new NotFoundException(`This process has no processor "${name}" of the queue "${queue}"`);
  }

  /** What people call the server that keeps the jobs of a queue. */
  serverOf(queue: unknown): string {
    const registered = this.#registered();
    const found = registered.find(({ name }) => name === queue) ?? registered[0];
    const backend = found && (bullmqOf(found.queue)?.backendOf(found.queue) as { toKey?: unknown } | undefined);
    return backend && backend.toKey === undefined ? 'PostgreSQL' : 'Redis';
  }

  /** One for each name, which is what jobs are addressed by. */
  #registered(): readonly RegisteredQueue[] {
    const all = this.moduleRef.get(QueueFinder, { strict: false }).all();
    return all.filter(({ isReal, name }, index) => isReal && all.findIndex((other) => other.name === name) === index);
  }

  #processorsOf(queue: RegisteredQueue): { readonly name: string; readonly type: Type }[] {
    const { processors } = this.moduleRef.get(WorkerRegistrar, { strict: false });
    const own: QueueProcessors | undefined = processors.find((candidate) => sameQueue(candidate.queue, queue));
    return (own?.definitions ?? []).map(({ jobName, name }, index) => ({
      name: jobName ?? name,
      type: own?.classes[index] as Type,
    }));
  }
}
