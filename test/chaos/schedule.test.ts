import { expect, it } from 'vitest';
import { LONG } from './options.js';
import { schedule } from './schedule.js';

const options = { ...LONG, durationMs: 600_000, slots: LONG.workers };

it('a seed always gives the same schedule, and a different seed gives a different one', () => {
  expect(schedule({ ...options, seed: 7 })).toEqual(schedule({ ...options, seed: 7 }));
  expect(schedule({ ...options, seed: 7 })).not.toEqual(schedule({ ...options, seed: 8 }));
});

it('ten minutes have 200 kills, 50 freezes shorter and longer than the lock, and restarts', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const disturbances = schedule({ ...options, seed });
    const count = (type: string) => disturbances.filter((disturbance) => disturbance.type === type).length;
    expect(count('kill')).toBeGreaterThanOrEqual(200);
    expect(count('freeze')).toBeGreaterThanOrEqual(50);
    expect(count('restart')).toBeGreaterThanOrEqual(6);
    const freezes = disturbances.flatMap((one) => (one.type === 'freeze' ? [one.forMs] : []));
    expect(freezes.filter((ms) => ms > 7_000).length).toBeGreaterThan(10);
    expect(freezes.filter((ms) => ms < 7_000).length).toBeGreaterThan(10);
  }
});

it('a changed rate of one kind of disturbance does not move the other kinds', () => {
  const kills = (freeze: number) =>
    schedule({ ...options, seed: 7, every: { ...options.every, freeze } }).filter(({ type }) => type === 'kill');
  expect(kills(Infinity)).toEqual(kills(1_000));
});
