import type { Type } from '@nestjs/common';
import { MetadataScanner } from '@nestjs/core';
import type { ProcessorDefinition } from '../definition/index.js';

/** A method of a processor's class with `@OnWorkerEvent` of `@nestjs/bullmq`. */
export interface WorkerListener {
  readonly definition: ProcessorDefinition;
  /** BullMQ's name of the event. */
  readonly event: string;
  readonly call: (...args: unknown[]) => void;
}

/** The key under which `@nestjs/bullmq` keeps what `@OnWorkerEvent` was given. */
const WORKER_EVENT = 'bullmq:worker_events_metadata';

type Method = (...args: unknown[]) => void;

export function workerListenersOf(type: Type, instance: object, definition: ProcessorDefinition): WorkerListener[] {
  const methods = instance as Record<string, Method>;
  return new MetadataScanner().getAllMethodNames(type.prototype).flatMap((name) => {
    const method = type.prototype[name] as Method;
    const metadata = Reflect.getMetadata(WORKER_EVENT, method) as { eventName: string } | undefined;
    if (!metadata) return [];
    return [{ definition, event: metadata.eventName, call: (...args) => methods[name]?.(...args) }];
  });
}
