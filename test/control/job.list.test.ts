import { firstValueFrom, lastValueFrom, toArray } from 'rxjs';
import { expect, it } from 'vitest';
import { type IterationContext, type IterationStatus, JobNotFoundError } from '../../lib/index.js';
import { Gate } from '../../lib/testing/gate.js';
import { BACKENDS, describeQueues, type Queues } from '../support/app.js';
import { wordsProcessor } from '../support/parted.js';
import { Hold, storyProcessor } from '../support/story.js';
import { until } from '../support/until.js';

describeQueues('list', BACKENDS, (queues) => {
  it('list shows jobs of every state, running ones first, filtered by state, name and age, in pages', async () => {
    const hold = new Hold('h');
    const { type } = storyProcessor({
      each: (letter, context: IterationContext<{ letters?: string }>) => {
        if (letter === 'x') throw new Error('bad row');
        return letter === 'h' ? hold.each(letter, context) : undefined;
      },
    });
    const app = await queues.start({ processors: [type] });
    const { iterations } = app;
    const completed = await iterations.enqueue(type, { letters: 'a' });
    const failed = await iterations.enqueue(type, { letters: 'x' });
    await Promise.all([app.settled(completed), app.settled(failed)]);
    const running = await iterations.enqueue(type, { letters: 'hi' });
    await hold.reached;
    const paused = await iterations.enqueue(type, { letters: 'p' });
    await iterations.pause(paused);
    const waiting = await iterations.enqueue(type, { letters: 'w' }, { delay: 3_600_000 });
    await app.queue().add('other', {}, { delay: 3_600_000, timestamp: Date.now() - 60_000 });

    const ids = async (options: Parameters<typeof iterations.list>[1]) =>
      (await iterations.list('jobs', options)).map(({ id }) => id);
    const all = await iterations.list('jobs');
    expect(all.map(({ state, name }) => `${state} ${name}`)).toEqual([
      'running story',
      'paused story',
      'waiting story',
      'waiting other',
      'failed story',
      'completed story',
    ]);
    expect(await ids({ states: ['paused', 'completed'] })).toEqual([paused.id, completed.id]);
    expect(await ids({ states: ['waiting'], name: 'story' })).toEqual([waiting.id]);
    expect(await ids({ olderThanMs: 30_000 })).toHaveLength(1);
    expect(await ids({ start: 4, end: 5 })).toEqual([failed.id, completed.id]);
    expect(await ids({ states: ['cancelled'] })).toEqual([]);
    await expect(iterations.list('jobs', { states: ['stopped' as never] })).rejects.toThrow('option "states"');
    await iterations.cancel(running);
    await app.settled(running);
    expect(await ids({ states: ['cancelled'] })).toEqual([running.id]);
  });

  it('list shows the jobs of a paused queue, and none that was removed', async () => {
    const app = await queues.start({ iteration: { workers: false } });
    const queue = app.queue();
    await queue.pause();
    const [gone] = await queue.addBulk(
      ['gone', 'one', 'two'].map((jobId) => ({ name: 'story', data: {}, opts: { jobId } })),
    );
    await gone?.remove();
    const jobs = await app.iterations.list('jobs');
    expect(jobs.map(({ id, state }) => `${state} ${id}`).toSorted()).toEqual(['waiting one', 'waiting two']);
  });

  it('list reads thousands of jobs in pages, each job once', async () => {
    const { type } = storyProcessor();
    const app = await queues.start({ iteration: { workers: false } });
    await app.queue().addBulk(Array.from({ length: 1_050 }, (_, index) => ({ name: 'story', data: { index } })));
    expect(await app.iterations.list('jobs')).toHaveLength(100);
    const all = await app.iterations.list('jobs', { end: -1 });
    expect(new Set(all.map(({ id }) => id)).size).toBe(1_050);
    expect((await app.iterations.list('jobs', { start: 1_040 })).length).toBe(0);
    expect((await app.iterations.list('jobs', { start: 1_040, end: -1 })).length).toBe(10);
    expect(type).toBeDefined();
  });
});

describeQueues('parts in a list', BACKENDS, (queues) => {
  /** A job whose part 1 has failed, parts 2 and 3 are running, and the others are completed. */
  async function startParted() {
    const { type } = wordsProcessor({
      each: async (letter, context) => {
        if (letter === 'x') throw new Error('bad row');
        if (letter === 'h') await until('the run is asked to stop', () => context.interruption !== undefined);
      },
    });
    const app = await queues.start({ processors: [type] });
    const job = await app.iterations.enqueue(type, { parts: ['ab', 'x', 'hi', 'hij', 'cd'] }, { jobId: 'whole' });
    await until('two parts are held, and the others have ended', async () => {
      const { partStates } = await app.iterations.status(job);
      return partStates?.running === 2 && partStates.completed === 2 && (await job.isWaitingChildren());
    });
    return { app, type, job, iterations: app.iterations };
  }

  it('R29: list leaves parts out, and shows the sum of a job with parts, and its state, as status does', async () => {
    const { app, type, iterations } = await startParted();
    await app.queue().add('other', {}, { jobId: 'a-1-1-part-0', delay: 3_600_000 });
    await app.queue().add('other', {}, { jobId: 'other', delay: 3_600_000 });
    const shown = async (options: Parameters<typeof iterations.list>[1]) =>
      (await iterations.list('jobs', options)).map(({ id, state }) => `${state} ${id}`);
    expect((await shown({})).toSorted()).toEqual(['running whole', 'waiting a-1-1-part-0', 'waiting other']);
    expect(await shown({ states: ['running'] })).toEqual(['running whole']);
    expect(await shown({ states: ['completed', 'failed'] })).toEqual([]);
    expect((await shown({ states: ['waiting', 'interrupted'] })).toSorted()).toEqual([
      'waiting a-1-1-part-0',
      'waiting other',
    ]);
    const [whole] = await iterations.list('jobs', { name: 'words' });
    expect(whole).toMatchObject({ processed: 4, partStates: { completed: 2, running: 2, failed: 1 } });
    expect(whole).not.toHaveProperty('part');
    await iterations.pause({ queue: 'jobs', id: 'whole' });
    expect(await shown({ states: ['pausing'] })).toEqual(['pausing whole']); // two parts are still at work
    expect(await shown({ states: ['paused'] })).toEqual([]);
    expect(type).toBeDefined();
  });

  it('R29: list with partOf gives the parts of that job in their order, by state, and in pages', async () => {
    const { app, iterations } = await startParted();
    await app.queue().add('words', {}, { jobId: 'other', delay: 3_600_000 });
    const parts = async (options: Parameters<typeof iterations.list>[1]) =>
      (await iterations.list('jobs', { partOf: 'whole', ...options })).map(
        ({ part, state }) => `${part?.index} ${state}`,
      );
    const all = ['0 completed', '1 failed', '2 running', '3 running', '4 completed'];
    expect(await parts({})).toEqual(all);
    expect(await parts({ states: ['failed'] })).toEqual(['1 failed']);
    expect(await parts({ states: ['completed'], start: 1 })).toEqual(['4 completed']);
    expect(await parts({ start: 1, end: 2 })).toEqual(all.slice(1, 3));
    expect(await parts({ name: 'others' })).toEqual([]);
    expect(await parts({ partOf: 'other' })).toEqual([]);
    await expect(parts({ partOf: 'nobody' })).rejects.toBeInstanceOf(JobNotFoundError);
    await expect(parts({ partOf: '' })).rejects.toThrow('option "partOf"');
    const [failed] = await iterations.list('jobs', { partOf: 'whole', states: ['failed'] });
    expect(failed).toMatchObject({ failedReason: 'bad row', part: { of: 'whole', index: 1 } });
    expect(await iterations.status(failed as { queue: string; id: string })).toEqual(failed);
  });

  it("R27: with partFailure 'continue', partOf lists the failed parts that a completed job leaves", async () => {
    const script = {
      each: (letter: string) => {
        if (letter === 'x') throw new Error('bad row');
      },
    };
    const { type } = wordsProcessor(script, { partFailure: 'continue' });
    const app = await queues.start({ processors: [type] });
    const job = await app.settled(await app.iterations.enqueue(type, { parts: ['ab', 'x', 'cd'] }, { jobId: 'whole' }));
    expect(await app.iterations.list('jobs')).toMatchObject([{ id: 'whole', state: 'completed' }]);
    const left = await app.iterations.list('jobs', { partOf: 'whole' });
    expect(left).toMatchObject([{ state: 'failed', part: { of: 'whole', index: 1 }, failedReason: 'bad row' }]);
    expect(job.returnvalue.failedParts).toEqual(left.map(({ id }) => id));
  });

  it('R28: bulk reaches the parts of a job that it chooses, and with partOf those parts alone', async () => {
    const { iterations } = await startParted();
    const job = { queue: 'jobs', id: 'whole' };
    const partStates = async () => (await iterations.status(job)).partStates;
    const done = await iterations.bulk('jobs', 'pause', { partOf: 'whole', states: ['running'], by: 'anna' });
    expect(done).toEqual({ done: 2, refused: 0, errors: [] });
    await until('both parts are paused', async () => (await partStates())?.paused === 2);
    expect(await iterations.requests(job)).toEqual([]);
    expect(await iterations.bulk('jobs', 'cancel', { states: ['running'] })).toEqual({
      done: 1,
      refused: 0,
      errors: [],
    });
    await until('the job is cancelled', async () => (await iterations.status(job)).state === 'cancelled');
    expect(await partStates()).toEqual({ completed: 2, failed: 1, cancelled: 2 });
  });

  it('R29: list reads each part of a listed job once, of other jobs none, and no more than a page to skip', async () => {
    const { type } = wordsProcessor({
      each: (_, context) => until('the run is asked to stop', () => context.interruption !== undefined),
    });
    const first = await queues.start({ processors: [type] });
    const parts = Array.from({ length: 450 }, () => 'a');
    const job = await first.iterations.enqueue(type, { parts }, { jobId: 'whole' });
    await until('the job waits for its parts', () => job.isWaitingChildren());
    await first.close();
    const web = await queues.start({ iteration: { workers: false } });
    await web.queue().add('other', {}, { jobId: 'other', delay: 3_600_000 });
    const reads = countReads(web.queue());
    const ids = async (options: Parameters<typeof web.iterations.list>[1]) => {
      reads.clear();
      return (await web.iterations.list('jobs', options)).map(({ id }) => id);
    };
    const readsOfParts = () => [...reads].filter(([id]) => id.includes('-part-')).map(([, times]) => times);
    const sum = (numbers: number[]) => numbers.reduce((one, other) => one + other, 0);
    expect((await ids({})).toSorted()).toEqual(['other', 'whole']);
    expect(readsOfParts()).toHaveLength(450);
    expect(sum(readsOfParts())).toBeLessThanOrEqual(450 + 100);
    expect(await ids({ end: 0 })).toEqual(['other']);
    expect(sum(readsOfParts())).toBeLessThanOrEqual(100);
    const page = await ids({ partOf: 'whole', start: 300, end: 301 });
    expect(page).toEqual([expect.stringMatching(/-part-300$/), expect.stringMatching(/-part-301$/)]);
    expect(sum(readsOfParts())).toBe(400);
  });
});

/** How often each job is loaded. */
function countReads(queue: ReturnType<Awaited<ReturnType<Queues['start']>>['queue']>): Map<string, number> {
  const reads = new Map<string, number>();
  const read = queue.getJob.bind(queue);
  queue.getJob = (id) => {
    reads.set(id, (reads.get(id) ?? 0) + 1);
    return read(id);
  };
  return reads;
}

describeQueues('bulk', BACKENDS, (queues) => {
  it('R28: bulk asks the same of every job of a filter; asked again, it changes nothing', async () => {
    const { type } = storyProcessor();
    const web = await queues.start({ iteration: { workers: false } });
    await web.queue().addBulk(
      Array.from({ length: 250 }, (_, index) => ({
        name: index % 2 ? 'story' : 'other',
        data: { letters: 'a' },
        opts: index % 5 ? {} : { delay: 3_600_000 },
      })),
    );
    const { iterations } = web;
    const pause = () => iterations.bulk('jobs', 'pause', { name: 'story', by: 'anna', reason: 'release' });
    expect(await pause()).toEqual({ done: 125, refused: 0, errors: [] });
    expect(await pause()).toEqual({ done: 125, refused: 0, errors: [] });
    const paused = await iterations.list('jobs', { states: ['paused'], end: -1 });
    expect(new Set(paused.map(({ name }) => name))).toEqual(new Set(['story']));
    expect(paused).toHaveLength(125);
    const [first] = paused;
    expect(await iterations.requests({ queue: 'jobs', id: first?.id as string })).toHaveLength(1);

    const app = await queues.start({ processors: [type] });
    expect(await iterations.bulk('jobs', 'cancel', { states: ['paused'] })).toMatchObject({ done: 125, refused: 0 });
    await until(
      'all are cancelled',
      async () => (await iterations.list('jobs', { states: ['cancelled'], end: -1 })).length === 125,
    );
    expect(await iterations.bulk('jobs', 'resume', { states: ['cancelled'] })).toMatchObject({ done: 0, refused: 125 });
    expect(await iterations.bulk('jobs', 'restart', { states: ['cancelled'] })).toMatchObject({ done: 125 });
    await until(
      'all are completed',
      async () => (await iterations.list('jobs', { states: ['completed'], end: -1 })).length >= 125,
    );
    await expect(iterations.bulk('jobs', 'stop' as never)).rejects.toThrow('option "action" is "stop"');
    await app.close();
  });
});

describeQueues('watch', BACKENDS, (queues) => {
  it('watch shows a job from waiting to its end, requests at once, and completes', async () => {
    const hold = new Hold('b');
    const { type, script } = storyProcessor({ each: hold.each });
    const web = await queues.start({ iteration: { workers: false } });
    const job = await web.iterations.enqueue(type, { letters: 'abc' });
    const seen: IterationStatus[] = [];
    const done = new Gate();
    web.iterations.watch(job).subscribe({ next: (status) => seen.push(status), complete: () => done.open() });
    const shown = (state: string) => until(`${state} is shown`, () => seen.some((status) => status.state === state));
    await shown('waiting');
    const app = await queues.start({ processors: [type] });
    await hold.reached;
    await shown('running');
    await web.iterations.pause(job, { by: 'anna' });
    await shown('pausing');
    await shown('paused');
    expect(seen.at(-1)).toMatchObject({ state: 'paused', cursor: 1, request: { by: 'anna' } });
    script.each = undefined;
    await web.iterations.resume(job);
    await app.settled(job);
    await done.wait();
    expect(seen.at(-1)).toMatchObject({ state: 'completed', processed: 3, percent: 100 });
    const percents = seen.map(({ percent = 0 }) => percent);
    expect(percents).toEqual([...percents].sort((one, other) => one - other));
  });

  it('watch of a job that has ended gives its status and completes; an unknown job is an error', async () => {
    const { type } = storyProcessor();
    const app = await queues.start({ processors: [type] });
    const job = await app.iterations.enqueue(type, { letters: 'a' });
    await app.settled(job);
    expect(await lastValueFrom(app.iterations.watch(job).pipe(toArray()))).toMatchObject([{ state: 'completed' }]);
    const nobody = app.iterations.watch({ queue: 'jobs', id: 'nobody' });
    await expect(lastValueFrom(nobody)).rejects.toBeInstanceOf(JobNotFoundError);
  });

  it('watch shows a status once, whatever events of the job come', async () => {
    const web = await queues.start({ iteration: { workers: false } });
    const job = await web.queue().add('story', {});
    const seen: IterationStatus[] = [];
    web.iterations.watch(job).subscribe((status) => seen.push(status));
    await until('the job is shown', () => seen.length > 0);
    for (let event = 0; event < 5; event++) await job.updateProgress(0); // which it was
    await web.iterations.pause(job);
    await until('its pause is shown', () => seen.at(-1)?.state === 'paused');
    expect(seen.map(({ state }) => state)).toEqual(['waiting', 'paused']);
  });

  it('watch completes when the job is removed, and a watcher that leaves stops nobody else', async () => {
    const { type } = storyProcessor();
    const app = await queues.start({ iteration: { workers: false } });
    const job = await app.iterations.enqueue(type, {});
    const seen: IterationStatus[] = [];
    const done = new Gate();
    app.iterations.watch(job).subscribe({ next: (status) => seen.push(status), complete: () => done.open() });
    expect(await firstValueFrom(app.iterations.watch(job))).toMatchObject({ state: 'waiting' });
    await until('the other watcher has seen it', () => seen.length > 0);
    await job.remove();
    await done.wait();
    expect(seen).toMatchObject([{ state: 'waiting' }]);
  });
});

describeQueues('runs', BACKENDS, (queues) => {
  it('R29: runs lists the last 20 runs with worker, times, items and reason, and the running one', async () => {
    const { type, script } = storyProcessor({ each: (_, context: IterationContext<object>) => context.retryIn(0) });
    const app = await queues.start({ processors: [type] });
    const letters = 'abcdefghijklmnopqrstuvwx';
    const job = await app.iterations.enqueue(type, { letters });
    await app.settled(job);
    const runs = await app.iterations.runs(job);
    expect(runs).toHaveLength(20);
    expect(runs[0]).toEqual({
      run: 5,
      worker: expect.stringMatching(/:\d+$/),
      startedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      endedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      items: 1,
      outcome: 'interrupt',
      interruption: { reason: 'retryIn', retryInMs: 0 },
    });
    expect(runs.at(-1)).toMatchObject({ run: 24, items: 1, outcome: 'complete', interruption: undefined });

    const hold = new Hold('b');
    script.each = hold.each;
    await app.iterations.restart(job);
    await hold.reached;
    await until('the running one is listed', async () => (await app.iterations.runs(job)).at(-1)?.run === 1);
    expect((await app.iterations.runs(job)).at(-1)).toMatchObject({ run: 1, endedAt: undefined, outcome: undefined });
    await app.iterations.cancel(job);
    await app.settled(job);
    expect((await app.iterations.runs(job)).at(-1)).toMatchObject({ run: 1, items: 2, outcome: 'cancel' });
  });

  it('R29: status splits the run time into reading and handling', async () => {
    // What is measured is time: the source and the handler take at least as much.
    const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
    const { type } = storyProcessor({
      build: async function* () {
        await wait(300);
        yield ['a', 0] as const;
      },
      each: () => wait(200) as Promise<void>,
    });
    const app = await queues.start({ processors: [type] });
    const job = await app.iterations.enqueue(type, {});
    await app.settled(job);
    const { readingMs, handlingMs, runtimeMs } = await app.iterations.status(job);
    expect(readingMs).toBeGreaterThanOrEqual(290);
    expect(handlingMs).toBeGreaterThanOrEqual(190);
    expect(readingMs + handlingMs).toBeLessThanOrEqual(runtimeMs);
  });

  it('R29: a wait for the source that an interruption ends is reading, too', async () => {
    const asked = new Gate();
    const { type } = storyProcessor({
      build: async function* () {
        await asked.wait(); // never opened: the source does not answer
        yield ['a', 0] as const;
      },
    });
    const app = await queues.start({ processors: [type] });
    const job = await app.iterations.enqueue(type, {});
    await asked.reached;
    await app.iterations.pause(job);
    await until('the job is put away', () => job.isDelayed());
    const { handlingMs, readingMs, runtimeMs } = await app.iterations.status(job);
    expect(readingMs).toBeGreaterThanOrEqual(190); // the run looks ahead for 200 ms
    expect(readingMs + handlingMs).toBeLessThanOrEqual(runtimeMs);
  });
});
