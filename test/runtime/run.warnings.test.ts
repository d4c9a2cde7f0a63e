import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RunWarnings } from '../../lib/runtime/run.warnings.js';

/** A run whose clock is Vitest's. */
function runOf({ everyMs = 1_000 } = {}) {
  const warned: string[] = [];
  const published: unknown[] = [];
  const run = {
    clock: { now: () => Date.now() },
    definition: { handlerName: 'Story.each', options: { checkpoint: { everyMs } } },
    shutdownDeadlineMs: 25_000,
    checkpoint: { current: { passed: 0 } },
    lastCheckpoint: { at: Date.now() },
    events: { publish: (event: string, details: () => object) => published.push([event, details()]) },
    log: { warn: (message: string) => warned.push(message) },
    progress: { finished: 0, cursor: 7, current: { itemsSeen: 0 } },
    times: { current: { handlingMs: 0 } },
  };
  return { run, warned, published, warnings: new RunWarnings(run as never) };
}

describe('RunWarnings', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('each item that is handled for longer than a shutdown waits is reported once; waiting does not count', () => {
    const { run, warned, published, warnings } = runOf();
    vi.advanceTimersByTime(60_000); // of it, nothing in a handler
    expect(published).toEqual([]);
    run.times.current.handlingMs = 25_000;
    vi.advanceTimersByTime(1_000);
    expect(published).toEqual([]);
    run.times.current.handlingMs = 25_001;
    vi.advanceTimersByTime(5_000);
    expect(published).toEqual([['item.slow', { cursor: 7, handlingMs: 25_001 }]]);
    run.progress.finished = 1;
    run.times.current.handlingMs = 40_000;
    vi.advanceTimersByTime(1_000);
    run.times.current.handlingMs = 70_000;
    vi.advanceTimersByTime(1_000);
    warnings.end();
    run.progress.finished = 2;
    vi.advanceTimersByTime(60_000);
    expect(published).toHaveLength(2);
    expect(warned).toHaveLength(2);
  });

  it('a checkpoint is late after ten times its interval and ten seconds, and only if items are unsaved', () => {
    const { run, warned, warnings } = runOf({ everyMs: 2_000 });
    vi.advanceTimersByTime(60_000); // nothing is unsaved
    run.lastCheckpoint.at = Date.now();
    run.progress.current.itemsSeen = 3;
    vi.advanceTimersByTime(20_000);
    expect(warned).toEqual([]);
    vi.advanceTimersByTime(60_000);
    warnings.end();
    expect(warned).toEqual([
      'its last checkpoint was saved 21 s ago, and 3 items were finished since: a crash would repeat them. Either its backend ' +
        'does not answer, or an item takes that long',
    ]);
  });
});
