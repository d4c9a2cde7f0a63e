import { describe, expect, it } from 'vitest';
import type { SharedStore } from '../../lib/checkpoint/index.js';
import { WholeJob } from '../../lib/parts/index.js';

/** The shared text of one job, with a clock that the test sets. */
class Shared implements SharedStore {
  now = 1_000_000;
  text: string | undefined;
  isGone = false;
  /** Called once before the next write: another part is faster. */
  before: (() => Promise<unknown>) | undefined;

  async shared(): Promise<{ text: string | undefined; now: number }> {
    return { text: this.text, now: this.now };
  }

  async replaceShared(_: string, expected: string | undefined, next: string): ReturnType<SharedStore['replaceShared']> {
    const { before } = this;
    this.before = undefined;
    await before?.();
    if (this.isGone) return 'gone';
    if (this.text !== expected) return 'changed';
    this.text = next;
    return 'replaced';
  }

  part(index: number, life = 0): WholeJob {
    return new WholeJob(this, { index, value: null, of: 'whole', addedAt: 0, life, restarted: 0 });
  }
}

const HOLDING = { inFlight: 1, forMs: 7_000 };
const WAITING = { inFlight: 0, forMs: 7_000 };

describe('what the parts of a job share', () => {
  it('R26: parts get equal shares, and one that comes later makes the others give up some', async () => {
    const shared = new Shared();
    const [a, b] = [shared.part(0), shared.part(1)];
    expect((await a.takeSlots(5, WAITING)).items).toBe(5);
    expect((await b.takeSlots(5, WAITING)).items).toBe(0);
    expect((await a.takeSlots(5, { ...HOLDING, inFlight: 4 })).items).toBe(3);
    expect((await b.takeSlots(5, WAITING)).items).toBe(1); // four are in flight still
    expect((await a.takeSlots(5, HOLDING)).items).toBe(3);
    expect((await b.takeSlots(5, HOLDING)).items).toBe(2);
  });

  it('R26: of more parts than items, the first keep one each, and the others learn how many come before them', async () => {
    const shared = new Shared();
    for (const index of [0, 1, 2, 3]) await shared.part(index).takeSlots(4, WAITING);
    const items = [];
    for (const index of [3, 2, 1, 0]) items.push((await shared.part(index).takeSlots(2, HOLDING)).items);
    expect(items).toEqual([0, 0, 1, 1]);
    expect(await shared.part(9).takeSlots(2, WAITING)).toEqual({ items: 0, ahead: 6 });
  });

  it('R18, R26: the share of a killed part is free when it expires', async () => {
    const shared = new Shared();
    expect((await shared.part(0).takeSlots(2, WAITING)).items).toBe(2);
    shared.now += 6_999;
    expect((await shared.part(1).takeSlots(2, WAITING)).items).toBe(0);
    shared.now += 1;
    expect((await shared.part(1).takeSlots(2, WAITING)).items).toBe(2);
  });

  it('R34: items begin at the pace of the whole job, and a limit that is raised holds at once', async () => {
    const shared = new Shared();
    const [a, b] = [shared.part(0), shared.part(1)];
    expect(await a.beginItems(1, 10_000)).toBe(0);
    expect(await b.beginItems(1, 10_000)).toBe(10_000);
    shared.now += 4_000;
    expect(await b.beginItems(1, 10_000)).toBe(6_000);
    expect(await b.beginItems(1, 100)).toBe(100);
    shared.now += 100;
    expect(await b.beginItems(1, 100)).toBe(0);
    expect(await a.beginItems(1, 100)).toBe(100);
  });

  it('R24: a part that counts a skip again counts it once, and no two parts pass a limit together', async () => {
    const shared = new Shared();
    const [a, b] = [shared.part(0), shared.part(1)];
    const two = ({ skipped }: { skipped: number }) => skipped > 2;
    expect(await a.countSkips({ skipped: 1, seen: 5 }, two)).toBeUndefined();
    expect(await a.countSkips({ skipped: 1, seen: 5 }, two)).toBeUndefined(); // its process was killed in between
    shared.before = () => b.countSkips({ skipped: 1, seen: 3 }, two);
    expect(await a.countSkips({ skipped: 2, seen: 7 }, two)).toEqual({ skipped: 2, seen: 8 });
  });

  it('R35: one part at a time handles the first items; another takes over from one that was killed', async () => {
    const shared = new Shared();
    const [a, b] = [shared.part(0), shared.part(1)];
    expect(await a.takeCanary(5, { seen: 0, forMs: 7_000 })).toBe(5);
    expect(await b.takeCanary(5, { seen: 0, forMs: 7_000 })).toBeUndefined();
    expect(await a.takeCanary(5, { seen: 3, forMs: 7_000 })).toBe(2);
    shared.now += 7_000;
    expect(await b.takeCanary(5, { seen: 0, forMs: 7_000 })).toBe(2);
    await b.release({ skips: undefined, seen: 1 });
    expect(await a.takeCanary(5, { seen: 3, forMs: 7_000 })).toBe(1);
  });

  it('R27: another life of the job shares nothing with it, and a removed job limits nothing', async () => {
    const shared = new Shared();
    await shared.part(0).takeCanary(5, { seen: 5, forMs: 7_000 });
    expect(await shared.part(1, 1).takeCanary(5, { seen: 0, forMs: 7_000 })).toBe(5);
    shared.isGone = true;
    expect((await shared.part(0, 1).takeSlots(3, WAITING)).items).toBe(3);
  });
});
