import { isDeepStrictEqual } from 'node:util';
import { getQueueToken } from '@nestjs/bullmq';
import { Injectable } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import type { ConnectionOptions, Queue, Telemetry } from 'bullmq';
import { findProvided, type NestModule } from './nest.js';

/** A queue that `BullModule` registered, and what its worker takes from it. */
export interface RegisteredQueue {
  readonly name: string;
  readonly queue: Queue;
  readonly connection: ConnectionOptions;
  readonly prefix: string | undefined;
  readonly telemetry: Telemetry | undefined;
  readonly hasInlineProcessors: boolean;
}

@Injectable()
export class QueueFinder {
  constructor(private readonly moduleRef: ModuleRef) {}

  /** The queue of that name as `module` sees it (one name may stand for queues of several configKeys), else as any does. */
  find(name: string, module?: NestModule): RegisteredQueue | undefined {
    const token = getQueueToken(name);
    const queue = (module && findProvided<Queue>(module, token)) ?? this.#anywhere(token);
    return queue && described(queue);
  }

  /** The queue of that name that `module` itself registers. */
  registeredIn(module: NestModule, name: string): RegisteredQueue | undefined {
    const queue = module.providers.get(getQueueToken(name))?.instance as Queue | undefined;
    return queue && described(queue);
  }

  #anywhere(token: string): Queue | undefined {
    try {
      return this.moduleRef.get<Queue>(token, { strict: false });
    } catch {
      return undefined;
    }
  }
}

function described(queue: Queue): RegisteredQueue {
  const { connection, prefix, telemetry, processors } = queue.opts as Queue['opts'] & { processors?: unknown[] };
  return {
    name: queue.name,
    queue,
    connection,
    prefix,
    telemetry,
    hasInlineProcessors: (processors?.length ?? 0) > 0,
  };
}

/** A queue may be registered more than once, in several modules: it is the same when it stands in the same place. */
export function sameQueue(one: RegisteredQueue, other: RegisteredQueue): boolean {
  if (one.queue === other.queue) return true;
  return (
    one.name === other.name &&
    one.prefix === other.prefix &&
    (one.connection === other.connection || isDeepStrictEqual(one.connection, other.connection))
  );
}
