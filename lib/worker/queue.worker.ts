import { Logger } from '@nestjs/common';
import type { ModuleRef } from '@nestjs/core';
import { type Job, WaitingError, type Worker, type WorkerOptions } from 'bullmq';
import { bullmqOf } from '../bullmq/index.js';
import { type CheckpointStore, checkpointStoreOf, hasStarted, keepingLast } from '../checkpoint/index.js';
import { DeadLetterQueue } from '../dead-letters/index.js';
import type { ProcessorDefinition } from '../definition/index.js';
import { definitionFor, type QueueProcessors } from '../discovery/index.js';
import { InterruptionRequest, Lock } from '../interruption/index.js';
import { type RunReport, reportToBullMQ, runJob } from '../run/index.js';
import { RunControl, type RunInputs, RunLog } from '../runtime/index.js';
import { stopFetching } from './bullmq.workarounds.js';
import { pollControl } from './control.poll.js';
import { disconnectWhenIdle } from './disconnect.when.idle.js';
import { type Process, watched } from './run.wrapper.js';
import { putBackUnknown } from './unknown-job.js';
import { healthOf, type WorkerHealth } from './worker.health.js';
import { listenToWorker } from './worker.listeners.js';
import { type LockedRun, trackLocks, watchLocks } from './worker.locks.js';

export type WorkerClass = new (name: string, processor: Process, options: WorkerOptions) => Worker;

/** What the workers of an application share. */
interface WorkerParts extends Pick<RunInputs, 'around' | 'clock' | 'publisher' | 'quarantine' | 'shutdownDeadlineMs'> {
  readonly unknownJobMs: number;
  readonly workerClass: WorkerClass;
  readonly moduleRef: ModuleRef;
}

/** After the shutdown's deadline, a report to BullMQ may take this long. */
const LAST_MOVE_MS = 1_000;

interface ActiveRun extends LockedRun, Pick<RunInputs, 'control' | 'lastCheckpoint'> {}

/** The one BullMQ worker of a queue: takes jobs, finds their processor by name, and knows which jobs run. */
export class QueueWorker {
  readonly #logger = new Logger('Iteration');
  readonly #active = new Set<ActiveRun>();
  readonly #worker: Worker;
  readonly #store: CheckpointStore;
  readonly #stop = new AbortController();
  #deadLetters: DeadLetterQueue | undefined;

  constructor(
    readonly processors: QueueProcessors,
    private readonly parts: WorkerParts,
  ) {
    const { queue, definitions, listeners } = processors;
    const { worker: options } = (definitions[0] as ProcessorDefinition).options;
    const run: Process = (job, token, signal) => this.#process(job, token as string, signal);
    const process = watched(run, { queue: queue.name, moduleRef: parts.moduleRef });
    this.#worker = new parts.workerClass(queue.name, process, {
      ...options,
      connection: queue.connection,
      prefix: queue.prefix,
      telemetry: options.telemetry ?? queue.telemetry,
      autorun: false,
    });
    this.#worker.on('error', (error) => {
      // A report that could not be written has logged so itself.
      if (!(error instanceof WaitingError))
        this.#logger.error(`Worker of ${queue.name}: ${error.message}`, error.stack);
    });
    this.#worker.on('stalled', (id) => void this.#releaseStalled(id));
    listenToWorker(this.#worker, listeners, ({ definition }, job) => definition === definitionFor(definitions, job));
    bullmqOf(this.#worker)?.patch(this.#worker);
    this.#store = checkpointStoreOf(this.#worker);
    trackLocks(this.#worker, this.#active, parts.clock);
    stopFetching(this.#worker, this.#stop.signal);
  }

  /** The jobs that run now, for the log. */
  get activeJobs(): readonly Job[] {
    return [...this.#active].map(({ job }) => job);
  }

  get health(): WorkerHealth {
    const isRunning = this.#worker.isRunning() && !this.#worker.closing && !this.#stop.signal.aborted;
    return { queue: this.processors.queue, isRunning, runs: [...this.#active].map(healthOf) };
  }

  start(): void {
    watchLocks(this.#worker, this.#active);
    pollControl(this.#worker, this.#active, this.#store);
    this.#worker
      .run()
      .catch((error: Error) => this.#logger.error(`Worker of ${this.#worker.name}: ${error.message}`, error.stack));
  }

  /**
   * Takes no further job and asks every run to end. Closing comes first: BullMQ then does not fetch the job again that
   * a run puts back (R16).
   */
  async stop(): Promise<void> {
    this.#stop.abort();
    const closed = this.#worker.close();
    for (const { interruption } of this.#active) interruption.requestShutdown();
    await Promise.race([
      closed,
      disconnectWhenIdle(this.#worker, { active: this.#active, closed, queue: this.processors.queue.queue }),
    ]);
    await this.#deadLetters?.close();
  }

  /** The shutdown's deadline has passed. */
  abandon(): void {
    for (const { interruption } of this.#active) interruption.abandon();
  }

  /** Every run finds that its lock is lost, for tests. */
  loseLocks(): void {
    for (const { lock } of this.#active) lock.lose();
  }

  async #process(job: Job, token: string, signal: AbortSignal | undefined): Promise<unknown> {
    const { clock } = this.parts;
    const interruption = new InterruptionRequest();
    const acquiredAt = job.processedOn ?? clock.now();
    const lock = new Lock(token, {
      acquiredAt,
      durationMs: this.#worker.opts.lockDuration as number,
      interruption,
      clock,
    });
    const control = new RunControl({ job, store: this.#store, interruption, lock });
    const lastCheckpoint = { at: clock.now() };
    const run: ActiveRun = { job, lock, interruption, control, isReporting: false, lastCheckpoint };
    this.#active.add(run);
    signal?.addEventListener('abort', () => interruption.cancel(reasonOf(signal)), { once: true });
    if (this.#stop.signal.aborted) interruption.request({ reason: 'shutdown' });
    try {
      const log = new RunLog(job);
      const report = await this.#run(run, log);
      run.isReporting = true;
      const reported = reportToBullMQ({ ...run, log, store: this.#store }, report);
      // Redis may be away: the process must be free to exit all the same.
      return await Promise.race([reported, interruption.abandoned.then(() => stopWaiting())]);
    } finally {
      this.#active.delete(run);
    }
  }

  async #run(run: ActiveRun, log: RunLog): Promise<RunReport> {
    const { job, lock } = run;
    const { clock, unknownJobMs } = this.parts;
    if (lock.endIfExpired()) return { type: 'lost' }; // the process was frozen while it took the job
    const { definitions } = this.processors;
    const definition = definitionFor(definitions, job);
    const store = this.#store;
    if (!definition) return putBackUnknown(job, { lock, store, log, now: clock.now(), unknownJobMs, definitions });
    const workerSettings = this.#worker.opts.settings;
    const deadLetters = () => this.#openDeadLetters();
    const { prefix = 'bull' } = this.processors.queue;
    const own = { deadLetters, definition, log, prefix, queue: this.processors.queue.queue, store, workerSettings };
    return runJob({ ...this.parts, ...run, ...own });
  }

  /** BullMQ then also keeps a trigger that comes while a stalled job waits for its next run. */
  async #releaseStalled(id: string): Promise<void> {
    try {
      const job = (await this.processors.queue.queue.getJob(id)) as Job | undefined;
      const keeping = job && hasStarted(job) ? keepingLast(job) : undefined;
      if (keeping) await this.#store.references.releaseDeduplication(keeping);
    } catch (error) {
      this.#logger.warn(
        `Worker of ${this.#worker.name}: the deduplication key of job ${id} could not be released (${String(error)})`,
      );
    }
  }

  #openDeadLetters(): DeadLetterQueue {
    this.#deadLetters ??= new DeadLetterQueue(this.processors.queue.queue);
    return this.#deadLetters;
  }
}

function reasonOf({ reason }: AbortSignal): string | undefined {
  if (typeof reason === 'string') return reason;
  return reason instanceof Error && reason.name !== 'AbortError' ? reason.message : undefined;
}

/** BullMQ then touches nothing. Returning would complete the job, whose move may still be under way. */
function stopWaiting(): Promise<never> {
  return new Promise((_, reject) => setTimeout(() => reject(new WaitingError()), LAST_MOVE_MS).unref());
}
