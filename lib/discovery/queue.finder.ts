import { isDeepStrictEqual } from 'node:util';
import { getQueueToken } from '@nestjs/bullmq';
import { Injectable } from '@nestjs/common';
import { ModuleRef, ModulesContainer } from '@nestjs/core';
import type { ConnectionOptions, Job, Queue, Telemetry } from 'bullmq';
import { bullmqOf } from '../bullmq/index.js';
import { InvalidOptionsError } from '../iteration.errors.js';
import { findProvided, type NestModule } from './nest.js';

/** A queue that `BullModule` registered, and what its worker takes from it. */
export interface RegisteredQueue {
  readonly name: string;
  readonly queue: Queue;
  readonly connection: ConnectionOptions;
  readonly prefix: string | undefined;
  readonly telemetry: Telemetry | undefined;
  readonly hasInlineProcessors: boolean;
  /** Tests may override a queue's provider by something that only adds jobs. */
  readonly isReal: boolean;
}

/** BullMQ's own, where none is given. */
const DEFAULT_PREFIX = 'bull';

/** What the token of every registered queue begins with. */
const QUEUE_TOKEN = getQueueToken('x').slice(0, -1);

@Injectable()
export class QueueFinder {
  constructor(
    private readonly moduleRef: ModuleRef,
    private readonly modules: ModulesContainer,
  ) {}

  /** The queue of that name as `module` sees it (one name may stand for queues of several configKeys), else as any does. */
  find(name: string, module?: NestModule): RegisteredQueue | undefined {
    const token = getQueueToken(name);
    const queue = (module && findProvided<Queue>(module, token)) ?? this.#anywhere(token);
    return queue && described(queue, name);
  }

  /** The queue of that name that `module` itself registers. */
  registeredIn(module: NestModule, name: string): RegisteredQueue | undefined {
    const queue = module.providers.get(getQueueToken(name))?.instance as Queue | undefined;
    return queue && described(queue, name);
  }

  /** The registered queue that a job is in; of several of its name, the one that stands where the job's own does. */
  holding(job: Job): RegisteredQueue | undefined {
    const named = this.find(job.queueName);
    const { queue: own } = job as unknown as { readonly queue?: Queue }; // protected
    if (!own || (named && sameQueue(named, described(own, own.name)))) return named;
    return this.all().find((queue) => sameQueue(queue, described(own, own.name))) ?? named;
  }

  /** Applies the patches of BullMQ that a queue needs, also where no worker runs. Called once, before the queues are used. */
  patchAll(): void {
    for (const queue of new Set(this.#providers().map(({ instance }) => instance as unknown as Queue))) {
      bullmqOf(queue)?.patch(queue);
    }
  }

  /** Every registered queue; of one that several modules register, each registration. */
  all(): RegisteredQueue[] {
    return this.#providers().map(({ instance, token }) =>
      described(instance as unknown as Queue, (token as string).slice(QUEUE_TOKEN.length)),
    );
  }

  #providers() {
    const providers = [...this.modules.values()].flatMap((module) => [...module.providers.values()]);
    return providers.filter(
      ({ token, instance }) => typeof token === 'string' && token.startsWith(QUEUE_TOKEN) && instance,
    );
  }

  #anywhere(token: string): Queue | undefined {
    try {
      return this.moduleRef.get<Queue>(token, { strict: false });
    } catch {
      return undefined;
    }
  }
}

/** @throws InvalidOptionsError for a connection whose own prefix would hide the queue's keys from BullMQ's scripts. */
function described(queue: Queue, registeredAs: string): RegisteredQueue {
  const { connection, prefix, telemetry, processors } = (queue.opts ?? {}) as Queue['opts'] & {
    processors?: unknown[];
  };
  const name = queue.name ?? registeredAs;
  if ((connection as { keyPrefix?: string } | undefined)?.keyPrefix) {
    throw new InvalidOptionsError(
      `The connection of the queue "${name}" has "keyPrefix", an option of ioredis that BullMQ cannot work with. Remove it, and ` +
        'set BullMQ\'s own "prefix" beside "connection", in BullModule.forRoot or registerQueue',
    );
  }
  return {
    name,
    queue,
    connection,
    prefix,
    telemetry,
    hasInlineProcessors: (processors?.length ?? 0) > 0,
    isReal: bullmqOf(queue) !== undefined,
  };
}

/** A queue may be registered more than once, in several modules: it is the same when it stands in the same place. */
export function sameQueue(one: RegisteredQueue, other: RegisteredQueue): boolean {
  if (one.queue === other.queue) return true;
  return (
    one.name === other.name &&
    (one.prefix ?? DEFAULT_PREFIX) === (other.prefix ?? DEFAULT_PREFIX) &&
    (one.connection === other.connection || isDeepStrictEqual(one.connection, other.connection))
  );
}
