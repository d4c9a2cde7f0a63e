import { type Cursor, isSameJson, type Json } from '../cursor.js';
import type { DeadLetter, DeadLetterRecord } from '../dead-letters/index.js';
import type { IterationEvent, RunEnd, TransactionHost } from '../definition/index.js';
import type { IterationMessage, IterationMessages } from '../events/index.js';
import type { Interruption } from '../interruption/index.js';
import { withMethod } from './with.method.js';

/** One run of a job. */
export interface IteratedRun {
  /** Cursor that the run began after. */
  readonly from: Cursor;
  /** Items that the run finished or skipped. */
  readonly items: number;
  /** `retry`: it failed, and the job is tried again. */
  readonly ended: RunEnd['outcome'];
  /** The part's value, in a job that `@BuildPartitions` has split. Absent in runs of the job itself. */
  readonly part?: Json;
}

/** What happened while a job ran. */
export class Recording {
  readonly items: unknown[] = [];
  readonly cursors: Cursor[] = [];
  readonly checkpoints: Cursor[] = [];
  readonly runs: IteratedRun[] = [];
  readonly hooks: IterationEvent[] = [];
  readonly interruptions: Interruption[] = [];
  readonly deadLetters: DeadLetter[] = [];
  readonly warnings: string[] = [];
  #from: Cursor = null;
  #saved: Cursor = null;
  #part: Json | undefined;
  #hasRun = false;

  /** @param cursor Where the job is. */
  beginRun(cursor: Cursor, part: Json | undefined): void {
    this.#from = cursor;
    this.#saved = cursor;
    this.#part = part;
    this.#hasRun = false;
  }

  /** A run that was stopped before it began has published nothing. */
  endRun(): void {
    if (!this.#hasRun) this.#addRun({ from: this.#from, items: 0, ended: 'interrupt' });
  }

  finish(item: unknown, cursor: Cursor): void {
    this.items.push(item);
    this.cursors.push(typeof cursor === 'object' ? (structuredClone(cursor) as Cursor) : cursor);
  }

  save(cursor: Cursor): void {
    if (isSameJson(cursor, this.#saved)) return;
    this.#saved = cursor;
    this.checkpoints.push(cursor);
  }

  addDeadLetter({ processor, job, before, cursor, summary, error, tries, at }: DeadLetterRecord): void {
    this.deadLetters.push({ processor, job, before, cursor, summary, error, tries, at });
  }

  note<E extends IterationMessage>(event: E, message: () => IterationMessages[E]): void {
    if (event === 'run.start') this.#from = (message() as IterationMessages['run.start']).cursor;
    if (event === 'run.interrupt')
      this.interruptions.push((message() as IterationMessages['run.interrupt']).interruption);
    if (event !== 'run.end') return;
    const { items, outcome } = message() as IterationMessages['run.end'];
    if (outcome !== 'lost') this.#addRun({ from: this.#from, items, ended: outcome });
  }

  /**
   * What a transaction handled that was rolled back was not handled.
   *
   * @param onRollback Called with the number of items that the transaction had handled.
   */
  watchTransactions(host: TransactionHost<unknown>, onRollback: (items: number) => void): TransactionHost<unknown> {
    const run: TransactionHost<unknown>['run'] = async (work) => {
      const { length } = this.items;
      try {
        return await host.run(work);
      } catch (error) {
        onRollback(this.items.length - length);
        this.items.length = length;
        this.cursors.length = length;
        throw error;
      }
    };
    return withMethod(host, 'run', run);
  }

  #addRun(run: IteratedRun): void {
    this.#hasRun = true;
    this.runs.push(this.#part === undefined ? run : { ...run, part: this.#part });
  }
}
