import { Logger } from '@nestjs/common';
import type { ModulesContainer } from '@nestjs/core';
import type { QueueWorker } from './queue.worker.js';

/** After the deadline, runs that were abandoned may take this long to be put back. */
const LAST_MS = 3_500;

interface Destroyable {
  onModuleDestroy?: (...args: unknown[]) => unknown;
}

/**
 * Ends the runs of all workers, once, while everything that handlers use still works.
 *
 * On SIGTERM Nest calls every `onModuleDestroy`, that of `WorkerRegistrar` among them: the first one drains here.
 *
 * Nest destroys a global module's providers last, and on Nest 11 those of one module at the same time: a database client
 * may be closed while a handler uses it. So every `onModuleDestroy` of the application waits until the runs are over.
 */
export class Shutdown {
  readonly #logger = new Logger('Iteration');
  #draining: Promise<void> | undefined;

  constructor(
    private readonly workers: () => readonly QueueWorker[],
    private readonly deadlineMs: number,
  ) {}

  get begun(): boolean {
    return this.#draining !== undefined;
  }

  /** Resolves when every run has ended, or the deadline has passed. It never rejects: on Nest 11 that would stop the others. */
  drain(): Promise<void> {
    this.#draining ??= this.#drain();
    return this.#draining;
  }

  /** Lets everything that is destroyed with the application wait for {@link drain}. */
  guard(modules: ModulesContainer): void {
    const guarded = new Set<object>();
    for (const { providers, controllers, injectables } of modules.values()) {
      for (const { instance, isAlias } of [...providers.values(), ...controllers.values(), ...injectables.values()]) {
        if (isAlias || typeof instance !== 'object' || instance === null || guarded.has(instance)) continue;
        guarded.add(instance);
        this.#guard(instance as Destroyable);
      }
    }
  }

  #guard(instance: Destroyable): void {
    const destroy = instance.onModuleDestroy;
    if (typeof destroy !== 'function') return;
    const guarded = async (...args: unknown[]) => {
      await this.drain();
      return destroy.apply(instance, args);
    };
    if (!Reflect.defineProperty(instance, 'onModuleDestroy', { value: guarded, configurable: true, writable: true })) {
      this.#logger.warn(
        `${instance.constructor.name} is a frozen object, so its onModuleDestroy cannot wait for jobs in flight`,
      );
    }
  }

  async #drain(): Promise<void> {
    const workers = this.workers();
    const closed = Promise.allSettled(workers.map((worker) => worker.stop()));
    let deadline: NodeJS.Timeout | undefined;
    let end: NodeJS.Timeout | undefined;
    const tooLate = new Promise<void>((resolve) => {
      deadline = setTimeout(() => {
        this.#logger.warn(
          `Jobs in flight outlived the shutdown's deadline of ${this.deadlineMs} ms; they go back at their last finished item`,
        );
        for (const worker of workers) worker.abandon();
        end = setTimeout(resolve, LAST_MS);
      }, this.deadlineMs);
    });
    await Promise.race([closed, tooLate]);
    clearTimeout(deadline);
    clearTimeout(end);
  }
}
