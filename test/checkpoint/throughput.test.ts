import { describe, expect, it } from 'vitest';
import { measured, toTenths } from '../../lib/checkpoint/throughput.js';

/** The percentage after `passed` of `size` items, for a job that was at `before` percent. */
const percentOf = (passed: number, size: number, before = 0) =>
  measured({ progress: before, size }, { batchSize: undefined, fraction: undefined, passed, runtimeMs: 0 }).progress;

describe('percent', () => {
  it.each([
    [466, 50_000, 0.9],
    [49, 50_000, 0],
    [50, 50_000, 0.1],
    [29, 100, 29],
    [57, 100, 57],
    [2, 3, 66.6],
    [49_999, 50_000, 99.9],
    [9_999_999_999, 10_000_000_000, 99.9],
    [50_000, 50_000, 100],
    [50_001, 50_000, 100],
  ])('R29: %i of %i items are %d percent, with one decimal and rounded down', (passed, size, percent) => {
    expect(percentOf(passed, size)).toBe(percent);
  });

  it('R29: every tenth of a percent of a thousand items is exact', () => {
    const tenths = Array.from({ length: 1_001 }, (_, passed) => percentOf(passed, 1_000));
    expect(tenths).toEqual(tenths.map((_, passed) => passed / 10));
  });

  it('R29: the percentage never falls', () => {
    expect(percentOf(466, 50_000, 12.3)).toBe(12.3);
  });

  it('toTenths rounds down', () => {
    expect([99.99, 0.1 + 0.2, 33.3].map(toTenths)).toEqual([99.9, 0.3, 33.3]);
  });
});
