import { describe, expect, it } from 'vitest';
import type { Answer, LedgerRow, RecordRow } from '../ledger.js';
import { check } from './check.js';

const SIZE = 100;

type Type = Answer['request'];

/** A job whose items take 100 ms each. */
class Story {
  readonly ledger: LedgerRow[] = [];
  readonly record: RecordRow[] = [{ at: 0, type: 'added', job: 'job', size: SIZE }];
  #at = 0;
  #asked = 0;
  #run = 'a/1';

  /** A run begins at this time. */
  run(run: string, at: number, type: 'start' | 'resume' = 'resume'): this {
    this.#run = run;
    this.#at = at;
    return this.act('build', 'null').act(type);
  }

  act(type: LedgerRow['type'], detail: string | null = null, first: number | null = null): this {
    const [worker = ''] = this.#run.split('/');
    const row = { type, job: 'job', run: this.#run, worker, first, last: first, detail };
    this.ledger.push({ seq: this.ledger.length + 1, at: this.#at++, ...row });
    return this;
  }

  items(from: number, to: number, everyMs = 100): this {
    for (let item = from; item <= to; item++) {
      this.#at += everyMs - 1;
      this.act('item', null, item);
    }
    return this;
  }

  interrupt(reason: string): this {
    return this.act('interrupt', reason).act('end', 'interrupt');
  }

  cancel(): this {
    return this.act('cancel').act('end', 'cancel');
  }

  complete(): this {
    return this.act('complete').act('end', 'complete');
  }

  /** An operator's request, which is written within 10 ms. */
  ask(request: Type, at: number, more: Partial<Answer> = {}): this {
    const by = `operator ${++this.#asked}`;
    const answer: Answer = { job: 'job', by, request, askedAt: at - 5, outcome: 'ok', before: 'open', ...more };
    this.record.push({ at: at + 5, type: 'answer', ...answer });
    const settings = more.itemsPerSecond === undefined ? {} : { settings: { itemsPerSecond: more.itemsPerSecond } };
    const name = request === 'tune' || request === 'restart' ? {} : { by };
    const event = { type: request, at: new Date(at).toISOString(), ...name, ...settings };
    this.record.push({ at: at + 100, type: 'request', job: 'job', request: event });
    return this;
  }

  did(...rows: RecordRow[]): this {
    this.record.push(...rows);
    return this;
  }

  breaches(state = 'completed', itemsPerSecond?: number): string[] {
    const settled: RecordRow = { at: 900_000, type: 'settled', job: 'job', state, attemptsMade: 1, itemsPerSecond };
    const rules = { checkpointMs: 1_000, lockMs: 7_000, exactlyOnce: false };
    const { breaches } = check({ ledger: this.ledger, record: [...this.record, settled], rules });
    return breaches.map(({ rule, message }) => `${rule}: ${message}`);
  }
}

const story = () => new Story().run('a/1', 0, 'start');
const killed: RecordRow = { at: 1_100, type: 'kill', worker: 'a' };
const frozen: readonly RecordRow[] = [
  { at: 1_100, type: 'freeze', worker: 'a' },
  { at: 4_100, type: 'thaw', worker: 'a' },
];

describe('the checker accepts', () => {
  it('the checker accepts a job that stops within two seconds of a pause, and resumes when it is asked to', () => {
    const paused = story().items(0, 20).interrupt('pause').ask('pause', 1_000).ask('resume', 9_000);
    expect(paused.run('b/1', 9_100).items(21, 99).complete().breaches()).toEqual([]);
  });

  it('the checker accepts an item after the thaw of a worker that froze before it could look', () => {
    const paused = story()
      .ask('pause', 1_000)
      .did(...frozen)
      .items(0, 10)
      .items(11, 11, 3_000);
    paused.items(12, 20).interrupt('pause').ask('resume', 9_000);
    expect(paused.run('b/1', 9_100).items(21, 99).complete().breaches()).toEqual([]);
  });

  it('the checker accepts a cancelled job, and its next life after a restart', () => {
    const cancelled = story().items(0, 20).ask('cancel', 1_500).cancel();
    expect(cancelled.breaches('cancelled')).toEqual([]);
    cancelled.ask('restart', 5_000, { before: 'cancelled' });
    expect(cancelled.run('b/1', 5_100, 'start').items(0, 99).complete().breaches()).toEqual([]);
  });

  it('the checker accepts a job that completes before it sees a cancellation', () => {
    expect(story().items(0, 99).ask('cancel', 9_500).complete().breaches()).toEqual([]);
  });

  it('the checker accepts a tuned rate that is in force two seconds later, and shown', () => {
    const tuned = story().items(0, 40, 10).ask('tune', 100, { itemsPerSecond: 2 }).items(41, 60, 10).items(61, 99, 500);
    expect(tuned.complete().breaches('completed', 2)).toEqual([]);
  });
});

describe('the checker reports', () => {
  it('the checker reports an item more than two seconds after a pause', () => {
    const paused = story().ask('pause', 1_000).items(0, 40).interrupt('pause').ask('resume', 9_000);
    expect(paused.run('b/1', 9_100).items(41, 99).complete().breaches()).toEqual([
      expect.stringMatching(/^R28: run a\/1 handled record \d+ 2\d{3} ms after it was asked to stop$/),
    ]);
  });

  it('the checker reports an item of a paused job after its worker was killed', () => {
    const paused = story().ask('pause', 1_000).items(0, 10).did(killed).run('b/1', 8_000).items(11, 99).complete();
    expect(paused.breaches()).toEqual(['R28: run b/1 handled record 11 7096 ms after it was asked to stop']);
  });

  it('the checker reports a job that was resumed and did not run again', () => {
    const paused = story().items(0, 20).interrupt('pause').ask('pause', 1_000).ask('resume', 9_000);
    expect(paused.breaches('interrupted')).toEqual(['R1, R18: the job is interrupted, not completed']);
  });

  it('the checker reports a cancellation that nobody asked for, or that was withdrawn long before', () => {
    const breach = 'R28: run a/1 called "cancel", and no cancellation held';
    expect(story().items(0, 20).cancel().breaches('cancelled')).toContain(breach);
    const withdrawn = story().ask('cancel', 100).ask('resume', 200).items(0, 20).cancel();
    expect(withdrawn.breaches('cancelled')).toEqual([breach]);
  });

  it('the checker reports a job that completed although it was cancelled, and one cancelled without its hook', () => {
    const completed = story().items(0, 20).ask('cancel', 1_500).cancel().run('b/1', 4_000).items(21, 99).complete();
    expect(completed.breaches()).toContain('R28: the job completed after it was cancelled');
    expect(story().items(0, 20).ask('cancel', 1_500).breaches('cancelled')).toContain(
      'R28: the job is cancelled without a "cancel" hook',
    );
  });

  it('the checker reports an interruption by a pause that nobody asked for', () => {
    const paused = story().items(0, 20).interrupt('pause').run('b/1', 9_100).items(21, 99).complete();
    expect(paused.breaches()).toEqual(['R28: run a/1 was interrupted by a pause that nobody asked for']);
  });

  it('the checker reports a request that was accepted and is lost', () => {
    const lost = story().ask('tune', 100, { itemsPerSecond: 2_000 }).items(0, 99).complete();
    lost.record.splice(
      lost.record.findIndex(({ type }) => type === 'request'),
      1,
    );
    expect(lost.breaches()).toEqual(['R28: the request to tune is lost']);
  });

  it('the checker reports a tuned rate that is not in force, or not shown', () => {
    const tuned = () => story().ask('tune', 100, { itemsPerSecond: 2 }).items(0, 99).complete();
    expect(tuned().breaches('completed', 2)).toEqual([
      expect.stringMatching(/^R31, R34: more than 23 items in \d+ ms at 2 items a second$/),
    ]);
    expect(tuned().breaches('completed', 5)).toContain('R31: its status shows 5 items a second, not 2');
  });

  it('the checker reports what is lost in the life after a restart', () => {
    const restarted = story().items(0, 99).complete().ask('restart', 20_000, { before: 'completed' });
    expect(restarted.run('b/1', 20_100, 'start').items(0, 98).complete().breaches()).toContain(
      'R1: 1 of 100 records are lost: 99',
    );
  });
});
