import { BullModule } from '@nestjs/bullmq';
import { Worker } from 'bullmq';
import { expect, it } from 'vitest';
import { BACKENDS, describeQueues } from '../support/app.js';
import { Hold, storyProcessor } from '../support/story.js';

describeQueues('hooks', BACKENDS, (queues) => {
  it('R11: a job calls start and complete once, resume in each later run, interrupt and end at each stop', async () => {
    const { type, story, script } = storyProcessor();
    const producer = await queues.start({ iteration: { workers: false } });
    const job = await producer.queue().add('story', { letters: 'abc' });
    for (const letter of 'ab') {
      const hold = new Hold(letter);
      script.each = hold.each;
      const app = await queues.start({ processors: [type] });
      await hold.reached;
      await app.close();
    }
    script.each = undefined;
    const app = await queues.start({ processors: [type] });
    await app.settled(job);

    const stopped = ['interrupt shutdown', 'end interrupt'];
    expect(story).toEqual([
      'start',
      'a',
      ...stopped,
      'resume',
      'b',
      ...stopped,
      'resume',
      'c',
      'complete',
      'end complete',
    ]);
  });

  it('R11: a run that is interrupted at its last item calls complete and not interrupt', async () => {
    const hold = new Hold('c');
    const { type, story } = storyProcessor({ each: hold.each });
    const app = await queues.start({ processors: [type] });
    const job = await app.queue().add('story', { letters: 'abc' });
    await hold.reached;
    await app.close();

    expect(story).toEqual(['start', 'a', 'b', 'c', 'complete', 'end complete']);
    const reader = await queues.start({ iteration: { workers: false } });
    expect((await reader.iterations.status(job)).state).toBe('completed');
  });

  it('R11: a job calls end after each failed run, and fail once when it has failed permanently', async () => {
    const { type, story } = storyProcessor({
      each: (letter) => {
        if (letter === 'b') throw new Error('always');
      },
    });
    const app = await queues.start({ processors: [type] });
    await app.settled(await app.queue().add('story', {}, { attempts: 3 }));

    const retried = ['end retry', 'resume'];
    expect(story).toEqual(['start', 'a', ...retried, ...retried, 'fail always', 'end fail']);
  });

  it('R11: a job that BullMQ cancels calls cancel instead of complete and fails without a retry', async () => {
    const workers: Worker[] = [];
    BullModule.workerClass = class extends Worker {
      constructor(...args: ConstructorParameters<typeof Worker>) {
        super(...args);
        workers.push(this as Worker);
      }
    } as typeof Worker;
    const hold = new Hold('b');
    const { type, story } = storyProcessor({ each: hold.each });
    const app = await queues.start({ processors: [type] });
    BullModule.workerClass = Worker;
    const job = await app.queue().add('story', {}, { attempts: 5 });
    await hold.reached;
    for (const worker of workers) worker.cancelJob(job.id as string, 'not wanted');
    const done = await app.settled(job);

    expect(done.failedReason).toBe('The job was cancelled: not wanted');
    expect(story).toEqual(['start', 'a', 'b', 'cancel The job was cancelled: not wanted', 'end cancel']);
    expect(await app.iterations.status(job)).toMatchObject({ state: 'cancelled', cursor: 1, processed: 2 });
  });

  it('context.stop() completes the job after the item, and with silent calls no complete hook', async () => {
    for (const silent of [false, true]) {
      const { type, story } = storyProcessor({
        each: (letter, context) => {
          if (letter === 'b') context.stop({ silent });
        },
      });
      const app = await queues.start({ processors: [type] });
      const job = await app.settled(await app.queue().add('story', {}));
      expect(await job.getState()).toBe('completed');
      expect(story).toEqual(['start', 'a', 'b', ...(silent ? [] : ['complete']), 'end complete']);
      await app.close();
    }
  });

  it('a catch block in a handler does not swallow retryIn(), which takes effect after the item', async () => {
    const { type, story } = storyProcessor({
      each: (letter, context) => {
        try {
          if (letter === 'a' && context.run === 1) context.retryIn(20);
        } catch {}
      },
    });
    const app = await queues.start({ processors: [type] });
    await app.settled(await app.queue().add('story', { letters: 'ab' }));
    expect(story).toEqual([
      'start',
      'a',
      'interrupt retryIn',
      'end interrupt',
      'resume',
      'b',
      'complete',
      'end complete',
    ]);
  });

  it('a handler can destructure stop from its context', async () => {
    const { type, story } = storyProcessor({ each: (_letter, { stop }) => stop() });
    const app = await queues.start({ processors: [type] });
    await app.settled(await app.queue().add('story', {}));
    expect(story).toEqual(['start', 'a', 'complete', 'end complete']);
  });

  it('context.stop() in the start hook completes the job before its first item', async () => {
    const { type, story } = storyProcessor({
      hook: (event, context) => {
        if (event === 'start') context.stop();
      },
    });
    const app = await queues.start({ processors: [type] });
    await app.settled(await app.queue().add('story', {}));
    expect(story).toEqual(['start', 'complete', 'end complete']);
  });

  it('a stopped job handles no further item when its complete hook fails and is retried', async () => {
    let failures = 1;
    const { type, story } = storyProcessor({
      each: (letter, context) => {
        if (letter === 'b') context.stop();
      },
      hook: (event) => {
        if (event === 'complete' && failures-- > 0) throw new Error('flaky');
      },
    });
    const app = await queues.start({ processors: [type] });
    const job = await app.settled(await app.queue().add('story', {}, { attempts: 2 }));
    expect(story).toEqual(['start', 'a', 'b', 'complete', 'end retry', 'resume', 'complete', 'end complete']);
    await job.retry('completed');
    await app.settled(job, ['completed']);
    expect(story.slice(8)).toEqual(['start', 'a', 'b', 'complete', 'end complete']);
  });

  it('R7: a state from a hook that cannot be saved is logged, and the job still settles', async () => {
    const { type, story } = storyProcessor({
      hook: (event, context) => {
        if (event === 'end complete') context.state = new Date() as never;
      },
    });
    const app = await queues.start({ processors: [type] });
    const job = await app.settled(await app.queue().add('story', { letters: 'a' }, { attempts: 3 }));
    expect(await job.getState()).toBe('completed');
    expect(story).toEqual(['start', 'a', 'complete', 'end complete']);
    expect(
      queues.logs.some((line) => line.includes('its state is not saved: InvalidCursorError: state is a Date')),
    ).toBe(true);
  });

  it('a job returns the value that its complete hook returns', async () => {
    const { type } = storyProcessor({ hook: (event) => (event === 'complete' ? { rows: 5 } : undefined) });
    const app = await queues.start({ processors: [type] });
    expect((await app.settled(await app.queue().add('story', {}))).returnvalue).toEqual({ rows: 5 });
  });

  it('a resumed job keeps context.state, including the changes of a hook', async () => {
    const hold = new Hold('b');
    const seen: unknown[] = [];
    const { type, script } = storyProcessor({
      hook: (event, context) => {
        if (event === 'end interrupt') context.state = [...(context.state as string[]), 'end'];
      },
    });
    script.each = async (letter, context) => {
      seen.push(context.state);
      context.state = [...((context.state ?? []) as string[]), letter];
      await hold.each(letter, context);
    };
    const app = await queues.start({ processors: [type] });
    const job = await app.queue().add('story', { letters: 'abc' });
    await hold.reached;
    await app.close();
    const resumed = await queues.start({ processors: [type] });
    await resumed.settled(job);
    expect(seen).toEqual([null, ['a'], ['a', 'b', 'end']]);
  });

  it('a job saves a state that is changed in place, and a state that is set to null again', async () => {
    const seen: unknown[] = [];
    const { type } = storyProcessor({
      each: (letter, context) => {
        seen.push(structuredClone(context.state));
        if (letter === 'a') context.state = { letters: 'a' };
        if (letter === 'c') context.state = null;
        context.retryIn(0);
      },
      hook: (event, context) => {
        const state = context.state as { byHook?: boolean } | null;
        if (event === 'interrupt retryIn' && state) state.byHook = true;
      },
    });
    const app = await queues.start({ processors: [type] });
    await app.settled(await app.queue().add('story', { letters: 'abcd' }));
    const state = { letters: 'a', byHook: true };
    expect(seen).toEqual([null, state, state, null]);
  });

  it('a job logs one line at start, resume, interrupt, complete and fail, and none for an item', async () => {
    const hold = new Hold('b');
    const { type, script } = storyProcessor({ each: hold.each });
    const app = await queues.start({ processors: [type] });
    const job = await app.queue().add('story', { letters: 'abc' }, { jobId: 'letters' });
    await hold.reached;
    await app.close();
    const resumed = await queues.start({ processors: [type] });
    await resumed.settled(job);
    script.each = () => {
      throw new Error('no good');
    };
    await resumed.settled(await resumed.queue().add('story', {}, { jobId: 'bad' }));
    await resumed.close();

    expect(queues.logs.filter((line) => line.includes('Job '))).toEqual([
      'log Job letters (jobs, story) started',
      'log Job letters (jobs, story) interrupted (shutdown) after 1: 2 items in this run, 2 in all',
      'log Job letters (jobs, story) resumed after 1 (run 2, 2 items processed)',
      expect.stringMatching(
        /^log Job letters \(jobs, story\) completed: 3 items in \d+\.\d s, 2 runs, 1 item in the last$/,
      ),
      'log Job bad (jobs, story) started',
      'error Job bad (jobs, story) failed permanently at the first item, failure 1 there: no good',
    ]);
  });
});
