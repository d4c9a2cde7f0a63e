import { describe, expect, it } from 'vitest';
import type { LedgerRow, RecordRow } from '../ledger.js';
import { check } from './check.js';
import type { Rules } from './story.js';

const RULES: Rules = { checkpointMs: 1_000, lockMs: 7_000, exactlyOnce: false };
const SIZE = 10;

type Line = readonly [worker: string, type: LedgerRow['type'], at: number, detail?: string | number];

/** Runs are named by their worker: each has one run of the one job here. */
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

/** So many items of a worker, 100 ms each. */
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
/** Killed after 6 records, of which `b` does the last 3 again. */
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

describe('the checker finds nothing wrong with', () => {
  it('a job that nothing disturbed', () => {
    expect(breachesOf(undisturbed)).toEqual([]);
  });
  it('a kill after which the items since the last checkpoint are repeated', () => {
    expect(breachesOf(taken, [killed])).toEqual([]);
  });
  it('an interruption that repeats nothing', () => {
    expect(breachesOf(interrupted, [termed, exited])).toEqual([]);
  });
  it('the item in flight of a worker that was frozen', () => {
    const late = [...taken.slice(0, -2), ['a', 'item', 12_001, 6] as const, ...taken.slice(-2)];
    expect(breachesOf(late, frozen)).toEqual([]);
  });
  it('a run that lost its lock while its process got no time, or while its queue did not answer', () => {
    const lost = [...taken.slice(0, -9), ['a', 'lost', 7_500] as const, ...taken.slice(-9)];
    expect(breachesOf(lost, [{ at: 4_000, type: 'late', worker: 'a', ms: 3_000 }])).toEqual([]);
    expect(breachesOf(lost, [{ at: 4_000, type: 'slow', ms: 3_000 }])).toEqual([]);
  });
  it('a "complete" that is called again by the next run, as a busy machine kept the first from settling', () => {
    const again: Line[] = [['b', 'build', 9_100, '9'], ['b', 'resume', 9_110], ...complete('b', 9_120)];
    const lost = [...undisturbed, ['a', 'lost', 8_500] as const, ...again];
    expect(breachesOf(lost, [{ at: 8_000, type: 'late', worker: 'a', ms: 6_000 }])).toEqual([]);
    const killedLater: RecordRow = { at: 8_000, type: 'kill', worker: 'a' };
    expect(breachesOf([...undisturbed, ...again], [killedLater])).not.toEqual([]);
    expect(breachesOf([...undisturbed, ...again], [{ at: 5_000, type: 'slow', ms: 3_000 }, killedLater])).toEqual([]);
  });
  it('a worker that froze before it built, and says so when the next has long begun', () => {
    const late = [...undisturbed.slice(0, 5), ['z', 'build', 450, 'null'] as const, ...undisturbed.slice(5)];
    expect(breachesOf(late)).toEqual([]);
  });
  it('an error whose item the next run begins with', () => {
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

describe('the checker finds', () => {
  it('a record that is lost', () => {
    expect(breachesOf(without(undisturbed, ([, , , detail]) => detail === 9))).toEqual([
      'R1: 1 of 10 records are lost: 9',
      'R11: "complete" was called after 9 of 10 records',
    ]);
  });

  it('a record that is lost in the middle of a run', () => {
    const breaches = breachesOf(without(undisturbed, ([, , , detail]) => detail === 4));
    expect(breaches).toContain('R1: 1 of 10 records are lost: 4');
    expect(breaches).toContain('R1: run a/1: record 5 comes behind 3');
  });

  it('a job that did not complete', () => {
    const record: RecordRow[] = [added, { at: 1, type: 'unsettled', job: 'job', state: 'active' }];
    const { breaches } = check({ ledger: ledgerOf(undisturbed), record, rules: RULES });
    expect(breaches.map(({ message }) => message)).toEqual(['the job is active, not completed']);
  });

  it('a record that a job does not have', () => {
    expect(breachesOf([...undisturbed.slice(0, -2), ...items('a', 10, 10, 1_195), ...undisturbed.slice(-2)])).toEqual([
      'R1: 1 items are none of its 10 records',
    ]);
  });

  it('a run that begins behind a gap', () => {
    const gap = without(taken, ([worker, , , detail]) => worker === 'b' && Number(detail) >= 3 && Number(detail) <= 6);
    expect(breachesOf(gap, [killed])).toContain('R1, R2: run b/1 begins at record 7, and the furthest before was 5');
  });

  it('more repeated after a kill than a checkpoint interval and the item in flight', () => {
    expect(breachesOf(taken, [killed], { checkpointMs: 99 })).toEqual([
      'R18: 3 records in 200 ms of run a/1 were repeated by b/1; a checkpoint is due after 99 ms and the item in flight (100 ms)',
    ]);
  });

  it('a record repeated after an interruption', () => {
    const again = [...interrupted.slice(0, -6), ...items('b', 5, 5, 1_050), ...interrupted.slice(-6)];
    expect(breachesOf(again, [termed, exited])).toEqual([
      'R1: 1 records of run a/1 were repeated by b/1, though it ended in order',
    ]);
  });

  it("a zombie's second effect", () => {
    const late = [...taken.slice(0, -2), ...items('a', 6, 7, 12_001), ...taken.slice(-2)];
    expect(breachesOf(late, frozen)).toEqual(['R20: run a/1 went on after the next had begun: item,item']);
  });

  it("a zombie's hooks behind its item in flight", () => {
    const zombie: readonly Line[] = [...items('a', 6, 6, 12_001), ['a', 'interrupt', 12_002, 'lockLost']];
    expect(breachesOf([...taken.slice(0, -2), ...zombie, ...taken.slice(-2)], frozen)).toContain(
      'R20: run a/1 went on after the next had begun: item,interrupt',
    );
  });

  it('a run that ends without a word, though nothing was done to it', () => {
    const silent = ['R11, R14: run a/1 ended without "end", and nothing was done to it'];
    expect(breachesOf(taken)).toEqual(silent);
    expect(breachesOf(taken, [{ ...killed, at: 8_500 }])).toEqual(silent); // when the next had long begun
    const brief: RecordRow = { at: 2_000, type: 'thaw', worker: 'a' };
    expect(breachesOf(taken, [frozen[0] as RecordRow, brief])).toEqual(silent); // not so long that a lock ends
  });

  it('a run that lost its lock, though nothing kept its worker from renewing it', () => {
    const lost = [...taken.slice(0, -9), ['a', 'lost', 7_500] as const, ...taken.slice(-9)];
    const breach = ['R20: run a/1 lost its lock, and nothing kept its worker from renewing it'];
    expect(breachesOf(lost)).toEqual(breach);
    expect(breachesOf(lost, [{ at: 4_000, type: 'late', worker: 'a', ms: 1_000 }])).toEqual(breach); // not nearly enough
    expect(breachesOf(lost, [{ at: 4_000, type: 'late', worker: 'b', ms: 3_000 }])).toEqual(breach); // another's
  });

  it('a missing start, resume, interrupt, end and complete', () => {
    const missing = (type: string, lines: readonly Line[]) =>
      breachesOf(
        without(lines, (line) => line[1] === type),
        [termed, exited],
      );
    expect(missing('start', interrupted)).toContain('R11: run a/1 began with item,item,item');
    expect(missing('resume', interrupted)).toContain('R11: run b/1 began with item,item,item');
    expect(missing('interrupt', interrupted)).toContain('R11: run a/1 ended with interrupt behind item');
    expect(missing('end', interrupted)).toContain('R11, R14: run a/1 ended without "end", and nothing was done to it');
    expect(missing('complete', interrupted)).toContain('R11: the job completed without "complete"');
  });

  it('a second start behind items, a second complete and a fail hook', () => {
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

  it('an interruption by a shutdown that nobody asked for', () => {
    expect(breachesOf(interrupted)).toEqual(['R5: run a/1 was interrupted by a shutdown that nobody asked for']);
  });

  it('attempts that were used up by kills', () => {
    const record: RecordRow[] = [added, killed, { ...settled, attemptsMade: 2 }];
    const { breaches } = check({ ledger: ledgerOf(taken), record, rules: RULES });
    expect(breaches.map(({ message }) => message)).toEqual(['BullMQ counted 2 attempts; handlers threw 0 times']);
  });

  it('with transactions, an effect that is there twice', () => {
    expect(breachesOf(taken, [killed], { exactlyOnce: true })).toEqual(['R25: effect of record 3 follows that of 5']);
    expect(breachesOf(interrupted, [termed, exited], { exactlyOnce: true })).toEqual([]);
  });

  it('a process that ends unasked, or not when it is asked', () => {
    const by = (signal: string) => breachesOf(undisturbed, [{ ...exited, signal } as RecordRow]);
    expect(by('SIGABRT')).toEqual([expect.stringContaining('worker a ended though nobody told it to')]);
    const late = breachesOf(interrupted, [termed, { ...exited, signal: 'SIGKILL' } as RecordRow]);
    expect(late).toEqual([expect.stringContaining('worker a did not end in time after SIGTERM')]);
    const slow = { ...exited, at: 32_000 };
    expect(breachesOf(interrupted, [termed, slow])).toEqual([expect.stringContaining('did not end in time')]);
    expect(breachesOf(interrupted, [termed, slow, { at: 9_000, type: 'late', worker: 'a', ms: 2_000 }])).toEqual([]);
  });
});
