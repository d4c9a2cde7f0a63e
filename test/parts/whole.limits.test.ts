import { expect, it } from 'vitest';
import { BACKENDS, describeQueues } from '../support/app.js';
import { partedProcessor, throwFor } from '../support/parted.js';
import { until } from '../support/until.js';

const WORDS = ['aaaaaaaa', 'bbbbbbbb', 'cccccccc', 'dddddddd', 'eeeeeeee', 'ffffffff'];

/** Counts what is handled at a time. */
function counter() {
  const seen = { now: 0, most: 0 };
  const each = async () => {
    seen.most = Math.max(seen.most, ++seen.now);
    await new Promise((resolve) => setTimeout(resolve, 5));
    seen.now--;
  };
  return { seen, each };
}

function letters(story: readonly string[]): string[] {
  return story.filter((word) => word.length === 1).sort();
}

describeQueues('the limits of a job in parts', BACKENDS, (queues) => {
  it('R26: itemConcurrency holds for all parts together, also where more parts run than it allows', async () => {
    const { seen, each } = counter();
    const { type, story } = partedProcessor({ each }, { itemConcurrency: 3, worker: { concurrency: 6 } });
    const app = await queues.start({ processors: [type] });
    const job = await app.settled(await app.iterations.enqueue(type, { parts: WORDS }));
    expect([job.returnvalue, letters(story)]).toEqual([{ processed: 48, skipped: 0 }, [...WORDS.join('')]]);
    expect(seen.most).toBe(3);
  });

  it('R26: itemConcurrency is divided among the parts that run; a part alone has all of it', async () => {
    const { seen, each } = counter();
    const { type } = partedProcessor({ each }, { itemConcurrency: 4, worker: { concurrency: 2 } });
    const app = await queues.start({ processors: [type] });
    await app.settled(await app.iterations.enqueue(type, { parts: ['a'.repeat(20)] }));
    expect(seen.most).toBe(4);
    seen.most = 0;
    await app.settled(await app.iterations.enqueue(type, { parts: ['a'.repeat(400), 'b'.repeat(400)] }));
    expect(seen.most).toBe(4);
  });

  it('R31: tune of the job limits its parts within two seconds', async () => {
    const { seen, each } = counter();
    const { type } = partedProcessor({ each }, { worker: { concurrency: 4 } });
    const app = await queues.start({ processors: [type] });
    const parts = [...'abcd'].map((letter) => letter.repeat(600));
    const job = await app.iterations.enqueue(type, { parts });
    await until('all parts run', async () => seen.most === 4);
    const tunedAt = Date.now();
    await app.iterations.tune(job, { itemConcurrency: 1 });
    await until('one item is handled at a time', () => {
      if (Date.now() - tunedAt >= 2_000 && seen.most === 4) seen.most = 0;
      return Date.now() - tunedAt >= 3_000;
    });
    expect(seen.most).toBe(1);
    await app.iterations.tune(job, { itemConcurrency: 8 });
    const ended = await app.settled(job);
    expect(ended.returnvalue).toEqual({ processed: 2_400, skipped: 0 });
    expect(seen.most).toBeGreaterThan(4);
  });

  it('R34: itemsPerSecond holds for all parts together', async () => {
    const begun: number[] = [];
    const each = () => void begun.push(performance.now());
    const { type } = partedProcessor({ each }, { itemsPerSecond: 50, worker: { concurrency: 6 } });
    const app = await queues.start({ processors: [type] });
    const parts = [...'abcdef'].map((letter) => letter.repeat(30));
    await app.settled(await app.iterations.enqueue(type, { parts }));
    expect(begun.length).toBe(180);
    for (const [index, at] of begun.entries()) {
      const inWindow = begun.slice(index).filter((other) => other < at + 2_000).length;
      expect(inWindow).toBeLessThanOrEqual(110);
    }
    const seconds = ((begun.at(-1) as number) - (begun[0] as number)) / 1_000;
    expect(180 / seconds).toBeGreaterThan(40);
  });

  it('R24: the limit of skipped items is that of all parts together', async () => {
    const { type, story } = partedProcessor(
      { each: throwFor('x') },
      { itemFailure: { then: 'skip', limit: 3 }, worker: { concurrency: 3 } },
    );
    const app = await queues.start({ processors: [type] });
    const job = await app.settled(await app.iterations.enqueue(type, { parts: ['axbx', 'cxdx', 'exfx'] }));
    expect(await job.getState()).toBe('failed');
    expect(job.failedReason).toContain('have failed; the first is the job');
    expect(await app.iterations.status(job)).toMatchObject({ skipped: 3, state: 'failed' });
    expect(letters(story).join('')).toMatch(/^[a-f]{4,6}$/);
  });

  it('R37: a limit of all parts together pauses the whole job, and resume grants it anew', async () => {
    const { type, story } = partedProcessor(
      { each: throwFor('x') },
      { itemFailure: { then: 'skip', limit: 2, onLimit: 'pause' }, worker: { concurrency: 3 } },
    );
    const app = await queues.start({ processors: [type] });
    const job = await app.iterations.enqueue(type, { parts: ['axbx', 'cx', 'ex'] });
    await until('the job is paused', async () => (await app.iterations.status(job)).state === 'paused');
    const paused = await app.iterations.status(job);
    expect(paused).toMatchObject({ skipped: 2, request: { type: 'pause', by: 'nestjs-iteration' } });
    await app.iterations.resume(job);
    const ended = await app.settled(job);
    expect(ended.returnvalue).toEqual({ processed: 4, skipped: 4 });
    expect(letters(story)).toEqual([...'abce']);
  });

  it('R37: a limit in a row is of one part: its pause is that of the job, and resume grants the part so many anew', async () => {
    const { type, story } = partedProcessor(
      { each: throwFor('x') },
      { itemFailure: { then: 'skip', consecutive: 2, onLimit: 'pause' }, worker: { concurrency: 3 } },
    );
    const app = await queues.start({ processors: [type] });
    const job = await app.iterations.enqueue(type, { parts: ['xxxxxa', 'xbx', 'c'] });
    const isPaused = async () => (await app.iterations.status(job)).state === 'paused';
    for (const pause of [1, 2]) {
      await until(`the job is paused ${pause} times`, isPaused);
      await app.iterations.resume(job);
      await until('it is no longer paused', async () => !(await isPaused()));
    }
    expect((await app.settled(job)).returnvalue).toEqual({ processed: 3, skipped: 7 });
    expect(letters(story)).toEqual([...'abc']);
  });

  it('R37: a limit by percent counts the items of all parts', async () => {
    const { type } = partedProcessor(
      { each: throwFor('x') },
      { itemFailure: { then: 'skip', limit: { percent: 10, after: 50 } }, worker: { concurrency: 1 } },
    );
    const app = await queues.start({ processors: [type] });
    const good = 'a'.repeat(100);
    const bad = `${'b'.repeat(8)}xx`; // by itself, 20 percent
    const job = await app.settled(await app.iterations.enqueue(type, { parts: [good, bad] }));
    expect(job.returnvalue).toEqual({ processed: 108, skipped: 2 });
    const other = await app.settled(await app.iterations.enqueue(type, { parts: [good, 'x'.repeat(30)] }));
    expect(await other.getState()).toBe('failed');
    expect(await app.iterations.status(other)).toMatchObject({ skipped: 11 });
  });

  it('R35: a canary pauses the whole job after its first items, in whatever parts they are', async () => {
    const { type, story } = partedProcessor({}, { worker: { concurrency: 4 } });
    const app = await queues.start({ processors: [type] });
    const job = await app.iterations.enqueue(type, { parts: ['abc', 'def', 'ghi', 'jkl'] }, { canary: 5 });
    await until('the job is paused', async () => (await app.iterations.status(job)).state === 'paused');
    expect(letters(story).length).toBe(5);
    expect(await app.iterations.status(job)).toMatchObject({
      processed: 5,
      request: { reason: expect.stringContaining('canary') },
    });
    await app.iterations.resume(job);
    const ended = await app.settled(job);
    expect([ended.returnvalue, letters(story)]).toEqual([{ processed: 12, skipped: 0 }, [...'abcdefghijkl']]);
  });

  it('R35: a canary that ends with a part pauses before the next item of another one', async () => {
    const { type, story } = partedProcessor({}, { worker: { concurrency: 1 } });
    const app = await queues.start({ processors: [type] });
    const job = await app.iterations.enqueue(type, { parts: ['abc', 'def'] }, { canary: 3 });
    await until('the job is paused', async () => (await app.iterations.status(job)).state === 'paused');
    expect(letters(story).length).toBe(3);
    await app.iterations.resume(job);
    expect((await app.settled(job)).returnvalue).toEqual({ processed: 6, skipped: 0 });
  });
});
