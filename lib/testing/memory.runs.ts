import type { Queue } from 'bullmq';
import { initialCursor, readCheckpoint } from '../checkpoint/index.js';
import type { Clock } from '../clock.js';
import { Quarantine } from '../crashes/index.js';
import type { DeadLetterQueue, DeadLetterRecord } from '../dead-letters/index.js';
import type { ProcessorDefinition } from '../definition/index.js';
import type { IterationMessages } from '../events/index.js';
import { InterruptionRequest, Lock } from '../interruption/index.js';
import { IterationError } from '../iteration.errors.js';
import { partOf } from '../parts/index.js';
import { type RunReport, runJob } from '../run/index.js';
import { RunControl } from '../runtime/index.js';
import { CollectedLog } from './collected.log.js';
import type { JobRecord } from './memory.job.js';
import { MemoryQueue } from './memory.queue.js';
import { MemoryStore } from './memory.store.js';
import type { Recording } from './recording.js';
import type { RunStops } from './run.stops.js';
import type { YieldedItems } from './yielded.items.js';

interface MemoryRunsOptions {
  readonly clock: Clock;
  readonly items: YieldedItems;
  readonly recording: Recording;
  readonly stops: RunStops;
}

/** Locks never expire, however far a test moves the clock. */
const LOCK_MS = 1e15;
const TOKEN = 'iterate';
/** Most runs in a row without a finished item: a job with more would never end. */
const MOST_EMPTY_RUNS = 100;

/** Runs the jobs of a queue in memory, one run after another, until each job has ended. */
export class MemoryRuns {
  readonly queue: MemoryQueue;
  /** Errors of the jobs that have failed, by the jobs' ids. */
  readonly errors = new Map<string, Error>();
  readonly #store: MemoryStore;
  readonly #quarantine = new Quarantine();
  #emptyRuns = 0;

  constructor(
    private readonly definition: ProcessorDefinition,
    private readonly options: MemoryRunsOptions,
  ) {
    const { clock, recording } = options;
    this.queue = new MemoryQueue(definition.queue, clock);
    const onSave = (document: object) => {
      const checkpoint = readCheckpoint(document);
      if (checkpoint) recording.save(checkpoint.cursor);
    };
    this.#store = new MemoryStore(this.queue, { clock, onSave });
  }

  /** @throws IterationError for a job that would never end */
  async runAll(): Promise<void> {
    for (let record = this.queue.next(); record; record = this.queue.next()) {
      const report = await this.#run(record);
      await this.#settle(record, report);
      this.#checkProgress();
    }
  }

  async #run(record: JobRecord): Promise<RunReport> {
    const { clock, items, recording, stops } = this.options;
    const job = this.queue.take(record);
    const interruption = new InterruptionRequest();
    const acquiredAt = record.processedOn as number;
    const lock = new Lock(TOKEN, { acquiredAt, durationMs: LOCK_MS, interruption, clock });
    const part = partOf(job);
    recording.beginRun(readCheckpoint(job.progress)?.cursor ?? initialCursor(job), part?.value);
    items.beginRun(record.id);
    if (part || !this.definition.partition) stops.beginRun(interruption);
    const report = await runJob({
      definition: this.definition,
      job,
      queue: this.queue as unknown as Queue,
      lock,
      interruption,
      store: this.#store,
      clock,
      control: new RunControl({ job, store: this.#store, interruption, lock }),
      log: new CollectedLog(job, recording.warnings),
      lastCheckpoint: { at: clock.now() },
      quarantine: this.#quarantine,
      deadLetters: () => this.#deadLetters,
      prefix: 'bull',
      workerSettings: undefined,
      publisher: {
        publish: (event, message) => {
          recording.note(event, message);
          if (event !== 'item.skip') return;
          items.skip((message() as IterationMessages['item.skip']).cursor);
          stops.finishItem();
        },
      },
      around: undefined,
      shutdownDeadlineMs: Infinity,
    });
    recording.endRun();
    return report;
  }

  async #settle(record: JobRecord, report: RunReport): Promise<void> {
    switch (report.type) {
      case 'wait':
      case 'delay': // the next run begins at once
        return;
      case 'park':
        record.state = 'paused';
        return;
      case 'control':
        await report.move?.();
        return;
      case 'completed':
        record.returnvalue = JSON.stringify(report.result ?? null);
        return this.#end(record, 'completed');
      case 'failed':
        record.attemptsMade++;
        record.stacktrace = [...record.stacktrace, String(report.error.stack)];
        if (report.decision.type === 'retry') return;
        record.failedReason = report.error.message;
        this.errors.set(record.id, report.error);
        return this.#end(record, 'failed');
      case 'lost':
        throw new IterationError(`${this.definition.name}: something has moved the job while it ran`);
    }
  }

  #end(record: JobRecord, state: 'completed' | 'failed'): void {
    record.state = state;
    record.finishedOn = Math.max(1, this.options.clock.now());
  }

  #checkProgress(): void {
    const { interruptions, runs } = this.options.recording;
    const { ended, items } = runs.at(-1) ?? { ended: 'complete', items: 0 };
    this.#emptyRuns = items === 0 && (ended === 'interrupt' || ended === 'retry') ? this.#emptyRuns + 1 : 0;
    if (this.#emptyRuns < MOST_EMPTY_RUNS) return;
    throw new IterationError(
      `${this.definition.name}: ${MOST_EMPTY_RUNS} runs in a row have finished no item, so the job would never end. The last one ` +
        `ended with "${ended}"${ended === 'interrupt' ? `, for the reason "${interruptions.at(-1)?.reason ?? 'shutdown'}"` : ''}`,
    );
  }

  get #deadLetters(): DeadLetterQueue {
    const put = async (letter: DeadLetterRecord) => this.options.recording.addDeadLetter(letter);
    return { put } as Partial<DeadLetterQueue> as DeadLetterQueue;
  }
}
