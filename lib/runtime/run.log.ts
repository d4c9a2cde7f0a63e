import { inspect } from 'node:util';
import { Logger } from '@nestjs/common';
import type { Job } from 'bullmq';
import type { Checkpoint } from '../checkpoint/index.js';
import type { Interruption } from '../interruption/index.js';
import type { Verdict } from './retry.decision.js';

/** So many characters of a cursor are logged. */
const MAX_CURSOR = 80;

/** A run in the log: one line at its start and one at its end, none for an item. */
export class RunLog {
  readonly #logger = new Logger('Iteration');
  readonly #job: string;

  constructor(job: Job) {
    this.#job = `Job ${job.id} (${job.queueName}, ${job.name})`;
  }

  started(): void {
    this.#logger.log(`${this.#job} started`);
  }

  resumed({ cursor, processed, run }: Checkpoint): void {
    this.#logger.log(`${this.#job} resumed behind ${short(cursor)}: run ${run}, ${processed} items so far`);
  }

  waitsFor(predecessor: string, deduplicationId: string): void {
    this.#logger.log(
      `${this.#job} waits until job ${predecessor} has ended, which has the same deduplication id "${deduplicationId}"`,
    );
  }

  interrupted({ reason, retryInMs }: Interruption, { cursor, processed }: Checkpoint, finished: number): void {
    const resumes = retryInMs === undefined ? '' : `, resumes in ${retryInMs} ms`;
    this.#logger.log(
      `${this.#job} interrupted (${reason}) behind ${short(cursor)}: ${finished} items, ${processed} in all${resumes}`,
    );
  }

  completed({ processed, run, runtimeMs }: Checkpoint, finished: number): void {
    const runs = run === 1 ? '1 run' : `${run} runs, ${finished} items in the last`;
    this.#logger.log(`${this.#job} completed: ${processed} items in ${(runtimeMs / 1_000).toFixed(1)} s, ${runs}`);
  }

  cancelled({ cursor, processed }: Checkpoint, { message }: Error): void {
    this.#logger.log(`${this.#job} cancelled behind ${short(cursor)}, ${processed} items in all: ${message}`);
  }

  failed(error: Error, verdict: Verdict, { cursor, failures }: Checkpoint): void {
    const where = `at the item behind ${short(cursor)}, failure ${failures} there`;
    if (verdict.type === 'fail')
      this.#logger.error(`${this.#job} failed for good ${where}: ${error.message}`, error.stack);
    else this.#logger.warn(`${this.#job} failed ${where}, retries in ${verdict.delayMs} ms: ${error.message}`);
  }

  skipped(error: Error, cursor: unknown): void {
    this.#logger.warn(`${this.#job} skipped the item of ${short(cursor)}, now a dead letter: ${error.message}`);
  }

  lost(cursor: unknown, outcome: string): void {
    this.#logger.warn(`${this.#job} lost its lock after cursor ${short(cursor)}: ${outcome}`);
  }

  hookFailed(hook: string, event: string, error: unknown): void {
    const reason =
      error instanceof Error
        ? error
        : { message: typeof error === 'string' ? error : inspect(error), stack: undefined };
    this.#logger.error(`${this.#job}: the ${event} hook ${hook} failed: ${reason.message}`, reason.stack);
  }

  warn(message: string): void {
    this.#logger.warn(`${this.#job}: ${message}`);
  }
}

function short(cursor: unknown): string {
  const text = JSON.stringify(cursor);
  return text.length > MAX_CURSOR ? `${text.slice(0, MAX_CURSOR)}…` : text;
}
