import { Injectable, Logger, type Type } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { processorOptionsOf } from '../decorators/index.js';
import type { ProcessorDefinition } from '../definition/index.js';
import { describe } from '../describe.js';
import { InvalidProcessorError } from '../iteration.errors.js';
import { type ProcessorOptions, type ResolvedIterationOptions, sameWorkerOptions } from '../iteration.options.js';
import { defineProcessor } from './define-processor.js';
import { classOf, type NestModule, type NestProvider } from './nest.js';
import { QueueFinder, type RegisteredQueue, sameQueue } from './queue.finder.js';
import { findTransactions } from './transactions.finder.js';
import { type WorkerListener, workerListenersOf } from './worker.listeners.js';

/** One queue and the processors that share its worker. */
export interface QueueProcessors {
  readonly queue: RegisteredQueue;
  readonly definitions: readonly ProcessorDefinition[];
  /** Of the definitions, in their order. */
  readonly classes: readonly Type[];
  /** Their methods with `@OnWorkerEvent`. */
  readonly listeners: readonly WorkerListener[];
}

/** The processor of a job: that of its name, else the one that takes every name of the queue. */
export function definitionFor(
  definitions: readonly ProcessorDefinition[],
  { name }: { readonly name: string },
): ProcessorDefinition | undefined {
  const named = (jobName: string | undefined) => definitions.find((definition) => definition.jobName === jobName);
  return named(name) ?? named(undefined);
}

interface Found extends QueueProcessors {
  readonly definitions: ProcessorDefinition[];
  readonly classes: Type[];
  readonly listeners: WorkerListener[];
}

/** The key under which `@nestjs/bullmq` keeps what `@Processor` was given. */
const BULL_PROCESSOR = 'bullmq:processor_metadata';

/** Finds the processors among the providers of all modules; every misuse that the application shows is refused here. */
@Injectable()
export class ProcessorExplorer {
  readonly #logger = new Logger('Iteration');

  constructor(
    private readonly modules: ModulesContainer,
    private readonly queues: QueueFinder,
  ) {}

  /** @throws InvalidProcessorError, InvalidOptionsError */
  explore(options: ResolvedIterationOptions): readonly QueueProcessors[] {
    const found: Found[] = [];
    for (const [type, { module, provider }] of this.#processors()) {
      const own = processorOptionsOf(type) as ProcessorOptions;
      const instance = provider.instance as object;
      const definition = defineProcessor(
        {
          type,
          instance,
          options: own,
          transactionsOf: (token) => findTransactions(token, { type, module, modules: this.modules }),
        },
        options,
      );
      const queue = this.#queueOf(definition, module);
      if (options.workers && !queue.isReal) refuseMock(definition, queue);
      const group = groupOf(queue, found);
      refuseConflicts(definition, group.definitions);
      group.definitions.push(definition);
      group.classes.push(type);
      group.listeners.push(...workerListenersOf(type, instance, definition));
    }
    for (const { queue, definitions } of found) this.#refusePlainProcessors(queue, definitions);
    return found;
  }

  /** Each processor class once, with where it is provided first. */
  #processors(): ReadonlyMap<Type, { module: NestModule; provider: NestProvider }> {
    const processors = new Map<Type, { module: NestModule; provider: NestProvider }>();
    for (const module of this.modules.values()) {
      for (const provider of module.providers.values()) {
        const type = classOf(provider);
        if (!type || provider.isAlias || !processorOptionsOf(type)) continue;
        if (!provider.isDependencyTreeStatic() || provider.isTransient) {
          throw new InvalidProcessorError(
            type.name,
            'it, or something it injects, is request-scoped or transient; jobs have no request. Make it a singleton, and resolve such providers in the handler with ModuleRef',
          );
        }
        if (!provider.instance) continue;
        const first = processors.get(type);
        if (!first) processors.set(type, { module, provider });
        else if (first.provider.instance !== provider.instance) {
          this.#logger.warn(
            `${type.name} is provided more than once, by ${first.module.name} and ${module.name}: the one of ${first.module.name} handles its jobs. Provide it once and export it`,
          );
        }
      }
    }
    return processors;
  }

  #queueOf({ name, queue }: ProcessorDefinition, module: NestModule): RegisteredQueue {
    const registered = this.queues.find(queue, module);
    if (registered) return registered;
    throw new InvalidProcessorError(
      name,
      `its queue "${queue}" is not registered. Add BullModule.registerQueue({ name: '${queue}' }) to the imports of ${module.name}`,
    );
  }

  #refusePlainProcessors(queue: RegisteredQueue, [definition]: readonly ProcessorDefinition[]): void {
    const { name: iterative, queue: registeredAs } = definition as ProcessorDefinition;
    for (const module of this.modules.values()) {
      const own = this.queues.registeredIn(module, registeredAs);
      if (own?.hasInlineProcessors && sameQueue(own, queue)) {
        throw new InvalidProcessorError(
          iterative,
          `BullModule.registerQueue gives the queue "${queue.name}" "processors" of its own; both would take the same jobs. Use another queue`,
        );
      }
      for (const provider of module.providers.values()) {
        const type = classOf(provider);
        const processor = type && (Reflect.getMetadata(BULL_PROCESSOR, type) as { name?: string } | undefined);
        const registered = processor?.name === queue.name ? this.queues.find(queue.name, module) : undefined;
        if (registered && sameQueue(registered, queue)) {
          throw new InvalidProcessorError(
            iterative,
            `${type?.name} is a plain @Processor('${queue.name}') of the same queue; both would take the same jobs. Use another queue`,
          );
        }
      }
    }
  }
}

/** The processors found so far that share the queue's worker. */
function groupOf(queue: RegisteredQueue, found: Found[]): Found {
  const group = found.find((candidate) => sameQueue(candidate.queue, queue));
  if (group) return group;
  const first: Found = { queue, definitions: [], classes: [], listeners: [] };
  found.push(first);
  return first;
}

function refuseMock({ name }: ProcessorDefinition, { name: queue, queue: found }: RegisteredQueue): never {
  throw new InvalidProcessorError(
    name,
    `what is provided as its queue "${queue}" is ${describe(found)}, which is not a Queue of BullMQ, so no worker can be made ` +
      'for it. Was it overridden in a test? Then set IterationModule.forRoot({ workers: false }): enqueue needs nothing but its "add"',
  );
}

function refuseConflicts(definition: ProcessorDefinition, others: readonly ProcessorDefinition[]): void {
  for (const other of others) {
    if (other.jobName === definition.jobName) {
      const jobs = definition.jobName === undefined ? 'all other jobs' : `the jobs "${definition.jobName}"`;
      throw new InvalidProcessorError(
        definition.name,
        `${other.name} handles ${jobs} of the queue "${definition.queue}" too. Give them different names`,
      );
    }
    if (!sameWorkerOptions(other.options, definition.options)) {
      throw new InvalidProcessorError(
        definition.name,
        `it and ${other.name} share the worker of the queue "${definition.queue}", but differ in "worker". Give both the same, or set it for the module`,
      );
    }
  }
}
