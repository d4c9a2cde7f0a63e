import { describe, expect, it } from 'vitest';
import type { LedgerRow, RecordRow } from '../ledger.js';
import { check } from './check.js';
import type { Rules } from './story.js';

const RULES: Rules = { checkpointMs: 1_000, lockMs: 7_000, exactlyOnce: false };
const SIZE = 10;

type Line = readonly [worker: string, type: LedgerRow['type'], at: number, detail?: string | number];

/** Ledger of one job. Each worker has one run, named after it. */
function ledgerOf(lines: readonly Line[]): LedgerRow[] {
  return lines.map(([worker, type, at, detail], index) => {
    const position = typeof detail === 'number' ? detail : null;
    const run = `${worker}/1`;
    return {
      seq: index + 1,
      at,
      type,
      job: 'job',
      run,
      worker,
      first: position,
      last: position,
      detail: typeof detail === 'string' ? detail : null,
    };
  });
}

/** Items of a worker, 100 ms each. */
function items(worker: string, from: number, to: number, at: number): Line[] {
  return Array.from({ length: to - from + 1 }, (_, offset) => [worker, 'item', at + offset * 100, from + offset]);
}

const added: RecordRow = { at: 0, type: 'added', job: 'job', size: SIZE };
const settled: RecordRow = { at: 90_000, type: 'settled', job: 'job', state: 'completed', attemptsMade: 1 };
const killed: RecordRow = { at: 900, type: 'kill', worker: 'a' };
const termed: RecordRow = { at: 850, type: 'term', worker: 'a' };
const exited: RecordRow = { at: 1_500, type: 'exit', worker: 'a', code: null, signal: 'SIGTERM' };
const frozen: readonly RecordRow[] = [
  { at: 850, type: 'freeze', worker: 'a' },
  { at: 12_000, type: 'thaw', worker: 'a' },
];

const complete = (worker: string, at: number): Line[] => [
  [worker, 'complete', at],
  [worker, 'end', at + 1, 'complete'],
];

function breachesOf(lines: readonly Line[], did: readonly RecordRow[] = [], rules: Partial<Rules> = {}): string[] {
  const record = [added, ...did, settled];
  return check({ ledger: ledgerOf(lines), record, rules: { ...RULES, ...rules } }).breaches.map(
    ({ rule, message }) => `${rule}: ${message}`,
  );
}

const undisturbed: readonly Line[] = [
  ['a', 'build', 100, 'null'],
  ['a', 'start', 110],
  ...items('a', 0, 9, 200),
  ...complete('a', 1_200),
];
/** `a` is killed after 6 records, and `b` repeats the last 3 of them. */
const taken: readonly Line[] = [
  ['a', 'build', 100, 'null'],
  ['a', 'start', 110],
  ...items('a', 0, 5, 200),
  ['b', 'build', 8_000, '2'],
  ['b', 'resume', 8_010],
  ...items('b', 3, 9, 8_100),
  ...complete('b', 9_000),
];
const interrupted: readonly Line[] = [
  ['a', 'build', 100, 'null'],
  ['a', 'start', 110],
  ...items('a', 0, 5, 200),
  ['a', 'interrupt', 900, 'shutdown'],
  ['a', 'end', 901, 'interrupt'],
  ['b', 'build', 1_000, '5'],
  ['b', 'resume', 1_010],
  ...items('b', 6, 9, 1_100),
  ...complete('b', 1_600),
];
const without = (lines: readonly Line[], unwanted: (line: Line) => boolean) => lines.filter((line) => !unwanted(line));

describe('the checker accepts', () => {
  it('the checker accepts an undisturbed job', () => {
    expect(breachesOf(undisturbed)).toEqual([]);
  });
  it('the checker accepts items repeated since the last checkpoint after a kill', () => {
    expect(breachesOf(taken, [killed])).toEqual([]);
  });
  it('the checker accepts an interruption that repeats nothing', () => {
    expect(breachesOf(interrupted, [termed, exited])).toEqual([]);
  });
  it('the checker accepts the item in flight of a frozen worker', () => {
    const late = [...taken.slice(0, -2), ['a', 'item', 12_001, 6] as const, ...taken.slice(-2)];
    expect(breachesOf(late, frozen)).toEqual([]);
  });
  it('the checker accepts a lock lost while the process was starved or its queue did not answer', () => {
    const lost = [...taken.slice(0, -9), ['a', 'lost', 7_500] as const, ...taken.slice(-9)];
    expect(breachesOf(lost, [{ at: 4_000, type: 'late', worker: 'a', ms: 3_000 }])).toEqual([]);
    expect(breachesOf(lost, [{ at: 4_000, type: 'slow', ms: 3_000 }])).toEqual([]);
  });
  it('the checker accepts a second "complete" when a busy machine kept the first run from settling', () => {
    const again: Line[] = [['b', 'build', 9_100, '9'], ['b', 'resume', 9_110], ...complete('b', 9_120)];
    const lost = [...undisturbed, ['a', 'lost', 8_500] as const, ...again];
    expect(breachesOf(lost, [{ at: 8_000, type: 'late', worker: 'a', ms: 6_000 }])).toEqual([]);
    const killedLater: RecordRow = { at: 8_000, type: 'kill', worker: 'a' };
    expect(breachesOf([...undisturbed, ...again], [killedLater])).not.toEqual([]);
    expect(breachesOf([...undisturbed, ...again], [{ at: 5_000, type: 'slow', ms: 3_000 }, killedLater])).toEqual([]);
  });
  it('the checker accepts a late "build" of a worker that froze before it built', () => {
    const late = [...undisturbed.slice(0, 5), ['z', 'build', 450, 'null'] as const, ...undisturbed.slice(5)];
    expect(breachesOf(late)).toEqual([]);
  });
  it('the checker accepts an error whose item the next run starts with', () => {
    const failed: readonly Line[] = [
      ['a', 'build', 100, 'null'],
      ['a', 'start', 110],
      ...items('a', 0, 5, 200),
      ['a', 'error', 900, 6],
      ['a', 'end', 901, 'retry'],
      ...interrupted.slice(-8),
    ];
    expect(breachesOf(failed)).toEqual([]);
  });
});

describe('the checker reports', () => {
  it('the checker reports a lost record', () => {
    expect(breachesOf(without(undisturbed, ([, , , detail]) => detail === 9))).toEqual([
      'R1: 1 of 10 records are lost: 9',
      'R11: "complete" was called after 9 of 10 records',
    ]);
  });

  it('the checker reports a record lost in the middle of a run', () => {
    const breaches = breachesOf(without(undisturbed, ([, , , detail]) => detail === 4));
    expect(breaches).toContain('R1: 1 of 10 records are lost: 4');
    expect(breaches).toContain('R1: run a/1: record 5 follows record 3');
  });

  it('the checker reports a job that did not complete', () => {
    const record: RecordRow[] = [added, { at: 1, type: 'unsettled', job: 'job', state: 'active' }];
    const { breaches } = check({ ledger: ledgerOf(undisturbed), record, rules: RULES });
    expect(breaches.map(({ message }) => message)).toEqual(['the job is active, not completed']);
  });

  it('the checker reports a record that the job does not have', () => {
    expect(breachesOf([...undisturbed.slice(0, -2), ...items('a', 10, 10, 1_195), ...undisturbed.slice(-2)])).toEqual([
      'R1: 1 items are none of its 10 records',
    ]);
  });

  it('the checker reports a run that starts after a gap', () => {
    const gap = without(taken, ([worker, , , detail]) => worker === 'b' && Number(detail) >= 3 && Number(detail) <= 6);
    expect(breachesOf(gap, [killed])).toContain('R1, R2: run b/1 begins at record 7, and the furthest before was 5');
  });

  it('the checker reports repeats beyond a checkpoint interval and the item in flight', () => {
    expect(breachesOf(taken, [killed], { checkpointMs: 99 })).toEqual([
      'R18: 3 records in 200 ms of run a/1 were repeated by b/1; a checkpoint is due after 99 ms and the item in flight (100 ms)',
    ]);
  });

  it('the checker reports a record repeated after an interruption', () => {
    const again = [...interrupted.slice(0, -6), ...items('b', 5, 5, 1_050), ...interrupted.slice(-6)];
    expect(breachesOf(again, [termed, exited])).toEqual([
      'R1: 1 records of run a/1 were repeated by b/1, though it ended in order',
    ]);
  });

  it("the checker reports a zombie's second effect", () => {
    const late = [...taken.slice(0, -2), ...items('a', 6, 7, 12_001), ...taken.slice(-2)];
    expect(breachesOf(late, frozen)).toEqual(['R20: run a/1 continued after the next had begun: item,item']);
  });

  it("the checker reports a zombie's hooks after its item in flight", () => {
    const zombie: readonly Line[] = [...items('a', 6, 6, 12_001), ['a', 'interrupt', 12_002, 'lockLost']];
    expect(breachesOf([...taken.slice(0, -2), ...zombie, ...taken.slice(-2)], frozen)).toContain(
      'R20: run a/1 continued after the next had begun: item,interrupt',
    );
  });

  it('the checker reports an undisturbed run that ends without "end"', () => {
    const silent = ['R11, R14: run a/1 ended without "end", and nothing was done to it'];
    expect(breachesOf(taken)).toEqual(silent);
    expect(breachesOf(taken, [{ ...killed, at: 8_500 }])).toEqual(silent); // long after the next run had begun
    const brief: RecordRow = { at: 2_000, type: 'thaw', worker: 'a' };
    expect(breachesOf(taken, [frozen[0] as RecordRow, brief])).toEqual(silent); // too short for a lock to expire
  });

  it('the checker reports a lost lock when nothing kept the worker from renewing it', () => {
    const lost = [...taken.slice(0, -9), ['a', 'lost', 7_500] as const, ...taken.slice(-9)];
    const breach = ['R20: run a/1 lost its lock, and nothing kept its worker from renewing it'];
    expect(breachesOf(lost)).toEqual(breach);
    expect(breachesOf(lost, [{ at: 4_000, type: 'late', worker: 'a', ms: 1_000 }])).toEqual(breach); // not nearly enough
    expect(breachesOf(lost, [{ at: 4_000, type: 'late', worker: 'b', ms: 3_000 }])).toEqual(breach); // of b
  });

  it('the checker reports a missing start, resume, interrupt, end and complete', () => {
    const missing = (type: string, lines: readonly Line[]) =>
      breachesOf(
        without(lines, (line) => line[1] === type),
        [termed, exited],
      );
    expect(missing('start', interrupted)).toContain('R11: run a/1 began with item,item,item');
    expect(missing('resume', interrupted)).toContain('R11: run b/1 began with item,item,item');
    expect(missing('interrupt', interrupted)).toContain('R11: run a/1 ended with interrupt after item');
    expect(missing('end', interrupted)).toContain('R11, R14: run a/1 ended without "end", and nothing was done to it');
    expect(missing('complete', interrupted)).toContain('R11: the job completed without "complete"');
  });

  it('the checker reports a second start after items, a second complete and a fail hook', () => {
    const twice = taken.map((line) => (line[1] === 'resume' ? (['b', 'start', 8_010] as const) : line));
    expect(breachesOf(twice, [killed])).toEqual(['R11: run b/1 called "start" again after a/1']);

    const again: Line[] = [['c', 'build', 9_100, '9'], ['c', 'resume', 9_110], ...complete('c', 9_120)];
    expect(breachesOf([...taken, ...again], [killed])).toEqual([
      'R11: "complete" was called again, and nothing was done to the run before',
    ]);
    expect(breachesOf([...taken, ...again], [killed, { at: 9_050, type: 'kill', worker: 'b' }])).toEqual([]);

    const failed: Line[] = [...undisturbed.slice(0, -1), ['a', 'fail', 1_201, 'Error'], ['a', 'end', 1_202, 'fail']];
    expect(breachesOf(failed)).toContain('R11: run a/1 called fail: Error');
  });

  it('the checker reports an interruption by a shutdown that nobody requested', () => {
    expect(breachesOf(interrupted)).toEqual(['R5: run a/1 was interrupted by a shutdown that nobody requested']);
  });

  it('the checker reports attempts that kills used up', () => {
    const record: RecordRow[] = [added, killed, { ...settled, attemptsMade: 2 }];
    const { breaches } = check({ ledger: ledgerOf(taken), record, rules: RULES });
    expect(breaches.map(({ message }) => message)).toEqual(['BullMQ counted 2 attempts; handlers threw 0 times']);
  });

  it('the checker reports an effect written twice in spite of transactions', () => {
    expect(breachesOf(taken, [killed], { exactlyOnce: true })).toEqual(['R25: effect of record 3 follows that of 5']);
    expect(breachesOf(interrupted, [termed, exited], { exactlyOnce: true })).toEqual([]);
  });

  it('the checker reports a process that ends without a signal, or not in time after one', () => {
    const by = (signal: string) => breachesOf(undisturbed, [{ ...exited, signal } as RecordRow]);
    expect(by('SIGABRT')).toEqual([expect.stringContaining('worker a ended without a signal')]);
    const late = breachesOf(interrupted, [termed, { ...exited, signal: 'SIGKILL' } as RecordRow]);
    expect(late).toEqual([expect.stringContaining('worker a did not end in time after SIGTERM')]);
    const slow = { ...exited, at: 32_000 };
    expect(breachesOf(interrupted, [termed, slow])).toEqual([expect.stringContaining('did not end in time')]);
    expect(breachesOf(interrupted, [termed, slow, { at: 9_000, type: 'late', worker: 'a', ms: 2_000 }])).toEqual([]);
  });
});
