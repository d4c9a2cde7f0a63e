import { setTimeout as delay } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { type Job, WaitingError, type Worker, type WorkerOptions } from 'bullmq';
import { type CheckpointStore, checkpointStoreOf, hasStarted, keepingLast } from '../checkpoint/index.js';
import type { Clock } from '../clock.js';
import type { Suspects } from '../crashes/index.js';
import { DeadLetters } from '../dead-letters/index.js';
import type { ProcessorDefinition } from '../definition/index.js';
import type { QueueProcessors } from '../discovery/index.js';
import { InterruptionRequest, Lock } from '../interruption/index.js';
import { runJob, type Settlement, settle } from '../run/index.js';
import { RunLog } from '../runtime/index.js';
import { forgetFailedConnection } from './first.connection.js';
import { putBackUnknown } from './unknown-job.js';
import { type ActiveRun, WorkerLocks } from './worker.locks.js';

export type WorkerClass = new (
  name: string,
  processor: (job: Job, token?: string, signal?: AbortSignal) => Promise<unknown>,
  options: WorkerOptions,
) => Worker;

/** After the shutdown's deadline, telling BullMQ may take this long. */
const LAST_MOVE_MS = 1_000;
/** How often a stopping worker looks whether its last run has ended. */
const LOOK_MS = 50;
/** So long a worker without a job may take to close. */
const CLOSE_MS = 1_000;
/** How long after a failed look for a job the next one follows: BullMQ itself would not wait at all. */
const FETCH_AGAIN_MS = 500;

/** The one BullMQ worker of a queue: it takes jobs, finds their processor by name, and knows what runs and holds which lock. */
export class QueueWorker {
  readonly #logger = new Logger('Iteration');
  readonly #active = new Set<ActiveRun>();
  readonly #worker: Worker;
  readonly #store: CheckpointStore;
  readonly #lockDuration: number;
  readonly #locks: WorkerLocks;
  readonly #stop = new AbortController();
  #deadLetters: DeadLetters | undefined;

  constructor(
    private readonly processors: QueueProcessors,
    private readonly parts: {
      readonly clock: Clock;
      readonly unknownJobMs: number;
      readonly workerClass: WorkerClass;
      readonly suspects: Suspects;
    },
  ) {
    const { queue, definitions } = processors;
    const { worker: options } = (definitions[0] as ProcessorDefinition).options;
    // BullMQ gives the signal only to a function of three parameters.
    const process = (job: Job, token?: string, signal?: AbortSignal) => this.#process(job, token as string, signal);
    this.#worker = new parts.workerClass(queue.name, process, {
      ...options,
      connection: queue.connection,
      prefix: queue.prefix,
      telemetry: options.telemetry ?? queue.telemetry,
      autorun: false,
    });
    this.#worker.on('error', (error) => {
      // A settlement that could not be told has said so itself.
      if (!(error instanceof WaitingError))
        this.#logger.error(`Worker of ${queue.name}: ${error.message}`, error.stack);
    });
    this.#worker.on('stalled', (id) => void this.#releaseStalled(id));
    for (const own of [this.#worker, queue.queue]) forgetFailedConnection(own.getBackend());
    this.#store = checkpointStoreOf(this.#worker);
    this.#lockDuration = options.lockDuration as number;
    this.#locks = new WorkerLocks(this.#worker, this.#active, parts.clock);
    this.#fetchNothingWhenStopping();
  }

  /** The jobs that run now, for the log. */
  get activeJobs(): readonly Job[] {
    return [...this.#active].map(({ job }) => job);
  }

  start(): void {
    this.#locks.watch();
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
    await Promise.race([closed, this.#disconnectWhenIdle(closed)]);
    await this.#deadLetters?.close();
  }

  /** BullMQ waits for Redis without limit before it closes a connection; with no job left there is nothing to wait for. */
  async #disconnectWhenIdle(closed: Promise<void>): Promise<void> {
    const closing = new AbortController();
    closed.catch(() => {}).finally(() => closing.abort());
    const wait = (ms: number) => delay(ms, undefined, { signal: closing.signal }).catch(() => {}); // closed
    while (this.#active.size > 0 && !closing.signal.aborted) await wait(LOOK_MS);
    await wait(CLOSE_MS);
    if (closing.signal.aborted) return;
    this.#logger.warn(
      `Worker of ${this.#worker.name}: no job runs, and its backend does not answer; it is disconnected`,
    );
    const disconnect = (own: Pick<Worker, 'getBackend'>) =>
      Promise.race([own.getBackend().disconnect(), delay(CLOSE_MS, undefined, { ref: false })]).catch(() => {});
    const { queue } = this.processors.queue;
    queue.close = () => disconnect(queue); // BullModule closes it next, and would wait as well
    await disconnect(this.#worker);
  }

  /** The shutdown's deadline has passed. */
  abandon(): void {
    for (const { interruption } of this.#active) interruption.abandon();
  }

  async #process(job: Job, token: string, signal: AbortSignal | undefined): Promise<unknown> {
    const { clock } = this.parts;
    const interruption = new InterruptionRequest();
    const lock = new Lock(token, job.processedOn ?? clock.now(), this.#lockDuration, interruption);
    const run = { job, lock, interruption };
    this.#active.add(run);
    signal?.addEventListener('abort', () => interruption.cancel(reasonOf(signal)), { once: true });
    if (this.#stop.signal.aborted) interruption.request({ reason: 'shutdown' });
    try {
      const log = new RunLog(job);
      const settlement = await this.#run(run, log);
      const told = settle({ job, lock, clock, interruption, log, references: this.#store.references }, settlement);
      // Redis may be away: the process must be free to exit all the same.
      return await Promise.race([told, interruption.abandoned.then(() => settleLater())]);
    } finally {
      this.#active.delete(run);
    }
  }

  async #run({ job, lock, interruption }: ActiveRun, log: RunLog): Promise<Settlement> {
    const { clock, suspects, unknownJobMs } = this.parts;
    if (!lock.check(clock.now())) return { type: 'lost' }; // the process was frozen while it took the job
    const { definitions } = this.processors;
    const definition =
      definitions.find(({ jobName }) => jobName === job.name) ??
      definitions.find(({ jobName }) => jobName === undefined);
    const store = this.#store;
    if (!definition) return putBackUnknown(job, { lock, store, log, now: clock.now(), unknownJobMs, definitions });
    const settings = this.#worker.opts.settings;
    const deadLetters = () => this.#openDeadLetters();
    const prefix = this.processors.queue.prefix ?? 'bull';
    return runJob({ definition, job, lock, interruption, store, clock, log, suspects, settings, deadLetters, prefix });
  }

  /** A trigger that comes while the job waits to be taken over is kept as well. */
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

  #openDeadLetters(): DeadLetters {
    this.#deadLetters ??= new DeadLetters(this.processors.queue.queue);
    return this.#deadLetters;
  }

  /** R16: with idle slots, a worker that is closing would look for a job once more, and find the one it just put back. */
  #fetchNothingWhenStopping(): void {
    const worker = this.#worker as unknown as { moveToActive(...args: unknown[]): Promise<Job | undefined> };
    const fetch = worker.moveToActive.bind(worker);
    worker.moveToActive = async (...args) => {
      if (this.#stop.signal.aborted) return undefined;
      try {
        return await fetch(...args);
      } catch (error) {
        await delay(FETCH_AGAIN_MS, undefined, { signal: this.#stop.signal }).catch(() => {}); // stopped
        throw error;
      }
    };
  }
}

function reasonOf({ reason }: AbortSignal): string | undefined {
  if (typeof reason === 'string') return reason;
  return reason instanceof Error && reason.name !== 'AbortError' ? reason.message : undefined;
}

/** BullMQ then touches nothing. To return would complete the job: its move may still be under way. */
function settleLater(): Promise<never> {
  return new Promise((_, reject) => setTimeout(() => reject(new WaitingError()), LAST_MOVE_MS).unref());
}
