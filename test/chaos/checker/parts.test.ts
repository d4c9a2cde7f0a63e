import { describe, expect, it } from 'vitest';
import type { Answer, LedgerRow, PartedPlan, RecordRow } from '../ledger.js';
import { check } from './check.js';

const PLAN: PartedPlan = { exactlyOnce: false, bad: [], then: 'fail' };

/** A job of 20 records in two parts, of ten records each. Each item takes 100 ms. */
class Story {
  readonly ledger: LedgerRow[] = [];
  readonly record: RecordRow[];
  #asked = 0;

  constructor(private readonly plan: Partial<PartedPlan> = {}) {
    this.record = [{ at: 0, type: 'added', job: 'job', size: 20, parted: { ...PLAN, ...plan } }];
  }

  /** Rows of the job itself. */
  job(run: string, at: number, ...types: LedgerRow['type'][]): this {
    for (const [index, type] of types.entries())
      this.#write({ job: 'job', run, at: at + index, type, detail: type === 'split' ? '2' : null });
    return this;
  }

  /** A run of a part: its items, and how it ended. */
  part(
    index: number,
    run: string,
    { at, first = index * 10, last = index * 10 + 9, hooks = [], end = 'complete', id = `part-${index}` }: PartRun,
  ): this {
    const row = { job: id, parent: 'job', part: index, run };
    this.#write({ ...row, at, type: 'build' });
    for (const type of hooks) this.#write({ ...row, at, type });
    const { bad = [] } = this.plan;
    for (let item = first; item <= last; item++) {
      const type = bad.includes(item) ? ('error' as const) : ('item' as const);
      this.#write({ ...row, at: at + (item - first + 1) * 100, type, first: item, last: item });
    }
    const endedAt = at + (last - first + 1) * 100 + 1;
    if (end === 'interrupt') this.#write({ ...row, at: endedAt, type: 'interrupt', detail: 'pause' });
    if (end) this.#write({ ...row, at: endedAt, type: 'end', detail: end });
    return this;
  }

  /** What a part's run that was frozen does at last. */
  thawed(part: number, run: string, at: number, ...types: LedgerRow['type'][]): this {
    const row = { job: `part-${part}`, parent: 'job', part, run };
    for (const [index, type] of types.entries()) this.#write({ ...row, at: at + index, type });
    return this;
  }

  ask(request: Answer['request'], at: number, job = 'job'): this {
    const by = `operator ${++this.#asked}`;
    this.record.push({ at, type: 'answer', job, by, request, askedAt: at - 5, outcome: 'ok', before: 'open' });
    const event = { type: request, at: new Date(at - 3).toISOString(), by };
    if (job === 'job') this.record.push({ at: at + 100, type: 'request', job, request: event });
    return this;
  }

  did(...rows: RecordRow[]): this {
    this.record.push(...rows);
    return this;
  }

  seen(at: number, seen: Partial<RecordRow & { type: 'seen' }>): this {
    const row = { percent: null, processed: 0, waits: true, open: 2, ...seen };
    return this.did({ at, askedAt: at - 1, type: 'seen', job: 'job', ...row });
  }

  breaches({ state = 'completed', at = 50_000, ...counts }: Partial<RecordRow & { type: 'settled' }> = {}): string[] {
    const settled: RecordRow = { at, type: 'settled', job: 'job', state, attemptsMade: 1, ...counts };
    const ledger = this.ledger
      .sort((one, other) => one.at - other.at)
      .map((row, index) => ({ ...row, seq: index + 1 }) satisfies LedgerRow);
    const rules = { checkpointMs: 1_000, lockMs: 7_000, exactlyOnce: false };
    const { breaches } = check({ ledger, record: [...this.record, settled], rules });
    return breaches.map(({ rule, message }) => `${rule}: ${message}`);
  }

  #write(row: Partial<LedgerRow> & Pick<LedgerRow, 'job' | 'run' | 'at' | 'type'>): void {
    const [worker = ''] = row.run.split('/');
    this.ledger.push({ seq: 0, worker, first: null, last: null, detail: null, ...row });
  }
}

interface PartRun {
  readonly at: number;
  readonly first?: number;
  readonly last?: number;
  readonly hooks?: readonly LedgerRow['type'][];
  /** Null: the run is cut off. */
  readonly end?: string | null;
  /** The job of the part. */
  readonly id?: string;
}

const split = (plan: Partial<PartedPlan> = {}) => new Story(plan).job('a/1', 0, 'split', 'start');
const handled = (plan: Partial<PartedPlan> = {}) => split(plan).part(0, 'a/2', { at: 100 }).part(1, 'b/1', { at: 100 });
const complete = (story: Story) => story.job('c/1', 20_000, 'complete', 'end');

const killed: RecordRow = { at: 650, type: 'kill', worker: 'a' };
/** Worker `a` is killed after five records, and `b` repeats two of them. */
const taken = () =>
  split()
    .part(0, 'a/2', { at: 100, last: 4, end: null })
    .part(0, 'b/2', { at: 9_000, first: 3, hooks: ['resume'] })
    .part(1, 'b/1', { at: 100 });

describe('the checker accepts', () => {
  it('the checker accepts an undisturbed job in parts', () => {
    const counts = { processed: 20, skipped: 0 };
    const story = complete(handled())
      .seen(500, { percent: 10, processed: 2 })
      .seen(900, { percent: 60, processed: 12 });
    expect(story.breaches(counts)).toEqual([]);
  });

  it('the checker accepts a hook of a frozen part that ends after its job was cancelled without the part', () => {
    const story = split()
      .part(0, 'a/2', { at: 100 })
      .part(1, 'y/1', { at: 100, last: 12, end: null })
      .part(1, 'z/1', { at: 7_500, last: 9, end: null })
      .part(1, 'b/1', { at: 15_000, last: 9, end: 'cancel' })
      .ask('cancel', 14_900)
      .job('c/1', 15_100, 'cancel', 'end')
      .thawed(1, 'z/1', 16_100, 'resume', 'lost')
      .did(
        { at: 450, type: 'kill', worker: 'y' },
        { at: 7_600, type: 'freeze', worker: 'z' },
        { at: 16_000, type: 'thaw', worker: 'z' },
      );
    expect(story.breaches({ state: 'cancelled' })).toEqual([]);
  });

  it('the checker accepts items of a part that were repeated after a kill', () => {
    expect(complete(taken()).did(killed).breaches({ processed: 20, skipped: 0 })).toEqual([]);
  });

  it('the checker accepts a second split and start after a kill', () => {
    const story = new Story().job('a/0', 0, 'split', 'start').did(killed).job('b/0', 8_000, 'split', 'start');
    const parts = story.part(0, 'b/2', { at: 8_100 }).part(1, 'b/1', { at: 8_100 });
    expect(complete(parts).breaches()).toEqual([]);
  });

  it('the checker accepts a bad record that is skipped, and a part that fails as it must', () => {
    const skipped = complete(handled({ bad: [13], then: 'skip' }));
    expect(skipped.breaches({ processed: 19, skipped: 1 })).toEqual([]);
    const failed = (then: 'fail' | 'continue') =>
      split({ bad: [13], then })
        .part(0, 'a/2', { at: 100 })
        .part(1, 'b/1', { at: 100, last: 13, end: 'fail' });
    expect(failed('fail').job('c/1', 20_000, 'fail', 'end').breaches({ state: 'failed' })).toEqual([]);
    const counts = { processed: 13, skipped: 0, failedParts: ['part-1'] };
    expect(complete(failed('continue')).breaches(counts)).toEqual([]);
  });

  it('the checker accepts a job that was cancelled, whose parts end first', () => {
    const parts = split().part(0, 'a/2', { at: 100 }).part(1, 'b/1', { at: 100, last: 13, end: 'cancel' });
    const cancelled = parts.ask('cancel', 400).job('c/1', 20_000, 'cancel', 'end');
    expect(cancelled.breaches({ state: 'cancelled', processed: 14 })).toEqual([]);
  });

  it('the checker accepts a job that fails for a part that was cancelled alone, also before its first run', () => {
    const breaches = (plan: Partial<PartedPlan>) => {
      const story = split(plan).part(0, 'a/2', { at: 100 }).ask('cancel', 90, 'job-1700000000000-6-part-1');
      return story.job('c/1', 20_000, 'fail', 'end').breaches({ state: 'failed' });
    };
    expect([breaches({}), breaches({ bad: [3], then: 'skip' })]).toEqual([[], []]);
    expect(breaches({ then: 'continue' })).toEqual(['R27: the job failed']);
  });

  it('the checker accepts that a frozen worker splits a job, when another one has split it by then', () => {
    const story = handled().job('z/1', 9_000, 'split').did({ at: 8_950, type: 'late', worker: 'z', ms: 8_840 });
    expect(complete(story).breaches()).toEqual([]);
  });

  it('the checker accepts that a part is cancelled twice: a frozen worker could not report the first time', () => {
    const story = split()
      .part(0, 'a/2', { at: 100 })
      .part(1, 'z/1', { at: 8_900, last: 9, end: 'cancel' })
      .part(1, 'b/1', { at: 9_000, last: 9, end: 'cancel' })
      .ask('cancel', 8_800)
      .did({ at: 8_890, type: 'late', worker: 'z', ms: 7_500 });
    expect(story.job('c/1', 9_200, 'cancel', 'end').breaches({ state: 'cancelled' })).toEqual([]);
  });

  it('the checker accepts that a frozen worker ends a part when its job has ended: another one had ended the part', () => {
    const story = (frozenMs: number) =>
      split()
        .part(0, 'a/2', { at: 100 })
        .part(1, 'b/1', { at: 9_000, last: 9, end: 'cancel' })
        .part(1, 'z/1', { at: 9_300, last: 9, end: 'cancel' })
        .ask('cancel', 8_800)
        .did({ at: 9_290, type: 'late', worker: 'z', ms: frozenMs })
        .job('c/1', 9_200, 'cancel', 'end')
        .breaches({ state: 'cancelled' });
    expect(story(7_900)).toEqual([]);
    expect(story(100)).toContain('R27: "cancel" was called before part 1 had ended');
  });

  it('the checker accepts a part that pauses with its job or alone, until either is resumed', () => {
    const paused = (job: string, resumed: string) =>
      split()
        .part(0, 'a/2', { at: 100 })
        .part(1, 'b/1', { at: 100, last: 14, end: 'interrupt' })
        .ask('pause', 450, job)
        .ask('resume', 9_000, resumed)
        .part(1, 'b/2', { at: 9_100, first: 15, hooks: ['resume'] });
    expect(complete(paused('job', 'job')).breaches()).toEqual([]);
    expect(complete(paused('part-1', 'job')).breaches()).toEqual([]);
    expect(complete(paused('part-1', 'part-1')).breaches()).toEqual([]);
  });
});

describe('the checker reports', () => {
  it('the checker reports a record that no part handled, and one that two parts did', () => {
    const lost = split().part(0, 'a/2', { at: 100, last: 8 }).part(1, 'b/1', { at: 100 });
    expect(complete(lost).breaches()).toEqual(['R1, R27: 1 of 20 records are lost: 9']);
    const twice = split().part(0, 'a/2', { at: 100, last: 10 }).part(1, 'b/1', { at: 100 });
    expect(complete(twice).breaches()).toEqual(['R27: record 10 is of the parts 0 and 1']);
  });

  it('the checker reports a repeat in spite of transactions', () => {
    const repeated = taken().did(killed);
    repeated.record[0] = { ...(repeated.record[0] as RecordRow), parted: { ...PLAN, exactlyOnce: true } } as RecordRow;
    expect(complete(repeated).breaches()).toEqual(['R25: effect of record 3 follows that of 4']);
  });

  it('the checker reports a part that was added twice: it runs again after it has ended, or is two jobs', () => {
    const again = handled().part(1, 'c/2', { at: 5_000 });
    expect(complete(again).breaches()).toContain(
      'R27: part 1 ran again, and handled items, after it had ended: complete',
    );
    const two = handled().part(1, 'c/2', { at: 5_000, id: 'part-1-again' });
    expect(complete(two).breaches()).toContain('R27: part 1 is two jobs: part-1 and part-1-again');
  });

  it('the checker reports a job that ends before its parts', () => {
    const early = handled().job('c/1', 600, 'complete', 'end').breaches();
    expect(early).toContain('R27: "complete" was called before part 0 had ended');
    const cancelled = handled().ask('cancel', 400).job('c/1', 600, 'cancel', 'end');
    expect(cancelled.breaches({ state: 'cancelled' })).toContain('R27: "cancel" was called before part 1 had ended');
  });

  it('the checker reports a part that handles items after its job was paused or cancelled', () => {
    const late = (request: 'pause' | 'cancel') =>
      split().part(0, 'a/2', { at: 100 }).part(1, 'b/1', { at: 5_000 }).ask(request, 450);
    const breach = expect.stringMatching(/^R28: run b\/1 handled record 1\d \d{4} ms after it was asked to stop$/);
    expect(complete(late('pause')).breaches()).toContainEqual(breach);
    expect(complete(late('cancel')).breaches()).toContainEqual(breach);
  });

  it('the checker reports a job that is split again', () => {
    const again = 'R27: the job was split again, and nothing was done to the run before';
    expect(complete(handled().job('z/1', 9_000, 'split')).breaches()).toContain(again);
    const killed = handled().job('z/1', 9_000, 'split').did({ at: 9_001, type: 'kill', worker: 'z' });
    expect(complete(killed).breaches()).toContain(again);
  });

  it('the checker reports a part that was paused alone and does not stop', () => {
    const late = split().part(0, 'a/2', { at: 100 }).part(1, 'b/1', { at: 5_000 }).ask('pause', 450, 'part-1');
    expect(complete(late).breaches()).toContainEqual(expect.stringMatching(/^R28: run b\/1 handled/));
  });

  it('the checker reports a job that was cancelled and fails for its parts', () => {
    const failed = handled().ask('cancel', 400).job('c/1', 20_000, 'fail', 'end');
    expect(failed.breaches({ state: 'failed' })).toContain('R27: the job failed after it was cancelled');
  });

  it('the checker reports a job that fails, or completes, and its parts do not', () => {
    expect(handled().job('c/1', 20_000, 'fail', 'end').breaches({ state: 'failed' })).toEqual(['R27: the job failed']);
    const failed = split({ bad: [13], then: 'fail' })
      .part(0, 'a/2', { at: 100 })
      .part(1, 'b/1', { at: 100, last: 13, end: 'fail' });
    expect(complete(failed).breaches()).toContain('R27: the job completed, and a part of it cannot');
    const cancelled = split()
      .part(0, 'a/2', { at: 100 })
      .part(1, 'b/1', { at: 100, last: 13, end: 'cancel' })
      .ask('cancel', 400)
      .ask('resume', 500);
    expect(complete(cancelled).breaches()).toContain('R27: the job completed, and does not name part 1 that failed');
  });

  it('the checker reports a job that waits for parts that have ended', () => {
    const stuck = complete(handled()).seen(2_000, { open: 0 }).seen(7_000, { open: 0 }).seen(12_500, { open: 0 });
    expect(stuck.breaches()).toEqual(['R27: the job waited for its parts 10500 ms after the last had ended']);
    const unsettled = complete(handled()).seen(2_000, { open: 0 }).breaches({ state: 'running' });
    expect(unsettled).toContain('R27: the job is running, not completed');
  });

  it('the checker reports a percent, or a count, that falls', () => {
    const fell = (...seen: readonly Partial<RecordRow & { type: 'seen' }>[]) =>
      seen.reduce((story: Story, one, index) => story.seen(1_000 * (index + 1), one), complete(handled())).breaches();
    expect(fell({ percent: 50 }, { percent: 40 })).toEqual([
      expect.stringMatching(/^R29: its percent fell from 50 to 40/),
    ]);
    expect(fell({ percent: 50 }, {})).toEqual([expect.stringMatching(/^R29: its percent fell from 50 to null/)]);
    expect(fell({ processed: 9 }, { processed: 3 })).toEqual([
      expect.stringMatching(/^R29: its processed items fell from 9 to 3/),
    ]);
  });

  it('the checker reports a job whose count is not that of its parts', () => {
    expect(complete(handled()).breaches({ processed: 19, skipped: 0 })).toContain(
      'R27: the job says that it processed 19 items, and its parts handled 20',
    );
  });

  it('the checker reports hooks of the job that are missing, repeated or called by a part', () => {
    expect(handled().breaches()).toEqual(['R11: the job is completed without "complete"']);
    expect(complete(complete(handled())).breaches()).toContain(
      'R11: "complete" was called again, and nothing was done to the run before',
    );
    const late = new Story().job('a/1', 0, 'split').part(0, 'a/2', { at: 100 }).part(1, 'b/1', { at: 100 });
    expect(complete(late.job('c/0', 15_000, 'start')).breaches()).toEqual(['R11: build of part-0 came before "start"']);
    const part = split()
      .part(0, 'a/2', { at: 100 })
      .part(1, 'b/1', { at: 100, hooks: ['start'] });
    expect(complete(part).breaches()).toContain('R27: part 1 called "start", which is its job\'s');
  });

  it('the checker reports a job that is split again, and parts that it does not have', () => {
    const again = new Story().job('a/0', 0, 'split').job('a/1', 10, 'split', 'start');
    expect(complete(again.part(0, 'a/2', { at: 100 }).part(1, 'b/1', { at: 100 })).breaches()).toEqual([
      'R27: the job was split again, and nothing was done to the run before',
    ]);
    const more = handled().part(2, 'c/0', { at: 100, first: 20, last: 19 });
    expect(complete(more).breaches()).toEqual(['R27: part 2 is none of 2 parts']);
  });
});
