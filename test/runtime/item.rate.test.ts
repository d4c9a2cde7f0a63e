import { describe, expect, it } from 'vitest';
import { ItemRate } from '../../lib/runtime/index.js';

describe('ItemRate', () => {
  function rateOf(nextItemAt: number | undefined) {
    const run = { clock: { now: () => time.now }, interruption: {} as never, settings: { itemsPerSecond: 0.1 } };
    const time = { now: 1_000_000 };
    return { run, time, rate: new ItemRate(run, nextItemAt) };
  }

  it('R31, R34: a limit that is raised holds at once: an item does not wait for the old interval', () => {
    const { rate, run, time } = rateOf(undefined);
    expect([rate.begin(), rate.begin()]).toEqual([true, false]);
    run.settings.itemsPerSecond = 2;
    expect(rate.begin()).toBe(false);
    time.now += 500;
    expect([rate.begin(), rate.begin()]).toEqual([true, false]);
  });

  it('R34: a clock that was set back delays an item by one interval at most', () => {
    const { rate, time } = rateOf(2_000_000);
    time.now += 9_999;
    expect(rate.begin()).toBe(false);
    time.now += 1;
    expect(rate.begin()).toBe(true);
  });
});
