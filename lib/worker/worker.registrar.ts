import { BullModule, BullRegistrar } from '@nestjs/bullmq';
import { Inject, Injectable, Logger, type OnApplicationShutdown, type OnModuleDestroy } from '@nestjs/common';
import { ModuleRef, ModulesContainer } from '@nestjs/core';
import { assertSupported } from '../bullmq/index.js';
import { systemClock } from '../clock.js';
import { Quarantine } from '../crashes/index.js';
import { type NestModule, ProcessorExplorer, type QueueProcessors } from '../discovery/index.js';
import { EventPublisher } from '../events/index.js';
import { InvalidOptionsError, IterationError } from '../iteration.errors.js';
import { type ResolvedIterationOptions, resolveIterationOptions } from '../iteration.options.js';
import { ITERATION_OPTIONS } from '../iteration.tokens.js';
import { checkIterationOptions } from '../options.check.js';
import { QueueWorker, type WorkerClass } from './queue.worker.js';
import { Shutdown } from './shutdown.js';
import { checkTables } from './table.check.js';
import type { WorkerHealth } from './worker.health.js';

/** With `createApplicationContext` and `app.enableShutdownHooks()`, the listener is there only a moment after bootstrap. */
const LOOK_FOR_SIGTERM_MS = 1_000;

/** Starts the workers when the whole application has bootstrapped (R17), and ends them before anything is destroyed (R14). */
@Injectable()
export class WorkerRegistrar implements OnModuleDestroy, OnApplicationShutdown {
  readonly #logger = new Logger('Iteration');
  readonly #options: ResolvedIterationOptions;
  readonly #shutdown: Shutdown;
  readonly #quarantine = new Quarantine();
  #processors: readonly QueueProcessors[] = [];
  #workers: readonly QueueWorker[] = [];
  #running: WorkerRegistrar | undefined;
  #bootstrapped = false;
  #registered = true;

  constructor(
    @Inject(ITERATION_OPTIONS) options: unknown,
    private readonly explorer: ProcessorExplorer,
    private readonly modules: ModulesContainer,
    private readonly moduleRef: ModuleRef,
    private readonly publisher: EventPublisher,
  ) {
    checkIterationOptions(options); // once more: they may have been overridden
    this.#options = resolveIterationOptions(options);
    this.#shutdown = new Shutdown(() => this.#workers, this.#options.shutdownDeadlineMs);
  }

  /** The processors of this application. */
  get processors(): readonly QueueProcessors[] {
    return this.#running?.processors ?? this.#processors;
  }

  /** Whether this application handles jobs, or would if it had processors. */
  get runsWorkers(): boolean {
    return this.#running?.runsWorkers ?? this.#options.workers;
  }

  /** What the worker of each queue does now. */
  get health(): readonly WorkerHealth[] {
    if (this.#running) return this.#running.health;
    if (this.#workers.length > 0) return this.#workers.map(({ health }) => health);
    return this.#processors.map(({ queue }) => ({ queue, isRunning: false, runs: [] })); // none has started
  }

  /** The worker of a queue, for tests. */
  workerOf(queue: string): QueueWorker | undefined {
    return this.#running?.workerOf(queue) ?? this.#workers.find(({ processors }) => processors.queue.name === queue);
  }

  /** Replaces a worker that was stopped by a new one, for tests. */
  restart(queue: string): void {
    this.#running?.restart(queue);
    this.#workers = this.#workers.map((worker) => {
      if (worker.processors.queue.name !== queue || worker.health.isRunning) return worker;
      const next = this.#createWorker(worker.processors);
      next.start();
      return next;
    });
  }

  /** Finds the processors, and sees to it that their workers start in time. @throws InvalidProcessorError, InvalidOptionsError */
  register(): void {
    this.#processors = this.explorer.explore(this.#options);
    if (!this.#options.workers || this.#processors.length === 0) return;
    this.#waitForRegistration();
    this.#whenBootstrapped(async () => {
      await checkTables(this.#processors);
      this.#bootstrapped = true;
      this.#start();
    });
  }

  /** Leaves the workers to the registrar of another import of the module. */
  leaveTo(running: WorkerRegistrar): void {
    this.#running = running;
  }

  onModuleDestroy(): Promise<void> {
    return this.#shutdown.drain();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.#shutdown.drain();
    process.off('uncaughtExceptionMonitor', this.#logCrash);
  }

  #start(): void {
    // On Nest 11 a SIGTERM may end the application while it still bootstraps.
    if (!this.#bootstrapped || !this.#registered || this.#workers.length > 0 || this.#shutdown.begun) return;
    this.#shutdown.guard(this.modules);
    this.#workers = this.#processors.map((processors) => this.#createWorker(processors));
    for (const worker of this.#workers) worker.start();
    process.on('uncaughtExceptionMonitor', this.#logCrash);
    this.#lookForSigterm();
  }

  /** @throws InvalidOptionsError for worker options that BullMQ refuses, IterationError for a BullMQ that is too old */
  #createWorker(processors: QueueProcessors): QueueWorker {
    const { aroundRun: around, shutdownDeadlineMs, unknownJobMs } = this.#options;
    const workerClass = workerClassOf(BullModule);
    assertSupported(processors.queue.queue);
    try {
      return new QueueWorker(processors, {
        around,
        clock: systemClock,
        moduleRef: this.moduleRef,
        publisher: this.publisher,
        quarantine: this.#quarantine,
        shutdownDeadlineMs,
        unknownJobMs,
        workerClass,
      });
    } catch (error) {
      if (error instanceof IterationError) throw error;
      const names = processors.definitions.map(({ name }) => name).join(', ');
      throw new InvalidOptionsError(
        `BullMQ refuses the worker of the queue "${processors.queue.name}" (${names}): ${error instanceof Error ? error.message : String(error)}. See the option "worker"`,
        { cause: error },
      );
    }
  }

  /** `extraOptions.manualRegistration`: workers start when the application calls `BullRegistrar.register()`. */
  #waitForRegistration(): void {
    if (!this.#find<{ manualRegistration?: boolean }>('BULLMQ_EXTRA_OPTIONS')?.manualRegistration) return;
    const registrar = this.#find<BullRegistrar>(BullRegistrar);
    if (!registrar) return;
    this.#registered = false;
    const register = registrar.register.bind(registrar);
    registrar.register = () => {
      register();
      this.#registered = true;
      this.#start();
    };
  }

  /** Nest bootstraps the module of the smallest distance last, and in it the module's own class. */
  #whenBootstrapped(start: () => Promise<void>): void {
    const [last] = [...this.modules.values()].reverse().sort((one, other) => one.distance - other.distance);
    const root = (last as NestModule).instance as { onApplicationBootstrap?: () => unknown };
    const bootstrap = root.onApplicationBootstrap;
    root.onApplicationBootstrap = async () => {
      await bootstrap?.call(root);
      await start();
    };
  }

  #lookForSigterm(): void {
    setTimeout(() => {
      if (this.#shutdown.begun || process.listenerCount('SIGTERM') > 0) return;
      this.#logger.warn(
        'Nothing in this process listens for SIGTERM: a deploy would kill its jobs instead of interrupting them. Call app.enableShutdownHooks()',
      );
    }, LOOK_FOR_SIGTERM_MS).unref();
  }

  /** An error that nobody handles ends the process, as Node does by itself. The log names the jobs that it interrupts. */
  readonly #logCrash = (error: unknown, origin: string): void => {
    const jobs = this.#workers
      .flatMap((worker) => worker.activeJobs)
      .map(({ id, queueName, name }) => `${id} (${queueName}, ${name})`);
    if (jobs.length === 0) return;
    this.#logger.error(
      `${origin}: ${error instanceof Error ? error.message : String(error)}. It ends this process while these jobs run, which are taken over at their last checkpoint: ${jobs.join(', ')}`,
      error instanceof Error ? error.stack : undefined,
    );
  };

  #find<T>(token: string | typeof BullRegistrar): T | undefined {
    try {
      return this.moduleRef.get(token, { strict: false }) as T;
    } catch {
      return undefined;
    }
  }
}

/** What was set as `BullModule.workerClass`, which can be written but not read. */
function workerClassOf(module: typeof BullModule): WorkerClass {
  return (module as unknown as { readonly _workerClass: WorkerClass })._workerClass;
}
