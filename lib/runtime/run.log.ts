import { inspect } from 'node:util';
import { Logger } from '@nestjs/common';
import type { Job } from 'bullmq';
import type { Checkpoint } from '../checkpoint/index.js';
import type { Interruption } from '../interruption/index.js';
import type { RetryDecision } from './retry.decision.js';

/** The characters of a cursor that are logged. */
const MAX_CURSOR = 80;

/** A run in the log: one line when it starts and one when it ends, none for an item. */
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
    this.#logger.log(`${this.#job} resumed after ${short(cursor)} (run ${run}, ${items(processed)} processed)`);
  }

  waitsFor(predecessor: string, deduplicationId: string): void {
    this.#logger.log(
      `${this.#job} waits until job ${predecessor} has ended, which has the same deduplication id "${deduplicationId}"`,
    );
  }

  interrupted({ reason, retryInMs }: Interruption, { cursor, processed }: Checkpoint, finished: number): void {
    const resumes = retryInMs === undefined ? '' : `, resumes in ${retryInMs} ms`;
    this.#logger.log(
      `${this.#job} interrupted (${reason}) after ${short(cursor)}: ${items(finished)} in this run, ${processed} in all${resumes}`,
    );
  }

  completed({ processed, run, runtimeMs }: Checkpoint, finished: number): void {
    const runs = run === 1 ? '1 run' : `${run} runs, ${items(finished)} in the last`;
    this.#logger.log(`${this.#job} completed: ${items(processed)} in ${(runtimeMs / 1_000).toFixed(1)} s, ${runs}`);
  }

  cancelled({ cursor, processed }: Checkpoint, { message }: Error): void {
    this.#logger.log(`${this.#job} cancelled after ${short(cursor)}, ${items(processed)} processed: ${message}`);
  }

  failed(error: Error, decision: RetryDecision, { cursor, failures }: Checkpoint): void {
    const item = cursor === null ? 'at the first item' : `at the item after ${short(cursor)}`;
    const where = `${item}, failure ${failures} there`;
    if (decision.type === 'fail')
      this.#logger.error(`${this.#job} failed permanently ${where}: ${error.message}`, error.stack);
    else this.#logger.warn(`${this.#job} failed ${where}, retries in ${decision.delayMs} ms: ${error.message}`);
  }

  skipped(error: Error, cursor: unknown): void {
    this.#logger.warn(
      `${this.#job} skipped the item with cursor ${short(cursor)} and wrote a dead letter: ${error.message}`,
    );
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

function items(count: number): string {
  return count === 1 ? '1 item' : `${count} items`;
}

function short(cursor: unknown): string {
  const text = JSON.stringify(cursor);
  return text.length > MAX_CURSOR ? `${text.slice(0, MAX_CURSOR)}…` : text;
}
