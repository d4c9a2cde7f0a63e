import type { Job } from 'bullmq';
import { expect, it } from 'vitest';
import {
  InvalidCursorError,
  InvalidOptionsError,
  IterationCancelledError,
  type IterationContext,
  JobNotFoundError,
  JobStateError,
} from '../../lib/index.js';
import { Gate } from '../../lib/testing/gate.js';
import { BACKENDS, describeQueues, type Queues, type TestApp } from '../support/app.js';
import { Hold, interrupted, type Script, storyProcessor } from '../support/story.js';
import { until } from '../support/until.js';

const BY = { by: 'anna', reason: 'the database is slow' };

/** A web process without workers, a worker, and the processor of its jobs. */
async function webAndWorker(queues: Queues, script: Script = {}, options = {}) {
  const processor = storyProcessor(script, options);
  const web = await queues.start({ iteration: { workers: false } });
  const worker = () => queues.start({ processors: [processor.type] });
  return { ...processor, web, worker, iterations: web.iterations };
}

/** Each meets another moment. */
const ROUNDS = process.env.CI ? 12 : 6;

const stateOf = async ({ iterations }: TestApp, job: Job) => (await iterations.status(job)).state;

async function becomes(app: TestApp, job: Job, state: string): Promise<void> {
  let found = '';
  await until(
    () => `the job is ${state}; it is ${found}`,
    async () => {
      found = await stateOf(app, job);
      return found === state;
    },
  );
}

describeQueues('pause and resume', BACKENDS, (queues) => {
  it('R28: a running job stops before its next item, and resumes after its cursor, at no attempt', async () => {
    const hold = new Hold('c');
    const { web, worker, iterations, type, story, script } = await webAndWorker(queues, { each: hold.each });
    const app = await worker();
    const job = await iterations.enqueue(type, { letters: 'abcde' }, { attempts: 2 });
    await hold.reached;
    await iterations.pause(job, BY);
    expect(await iterations.status(job)).toMatchObject({ state: 'pausing', request: { type: 'pause', ...BY } });
    await becomes(web, job, 'paused');
    await until('the job is delayed', () => job.isDelayed());
    expect(story).toEqual(['start', 'a', 'b', 'c', 'interrupt pause', 'end interrupt']);
    expect(await iterations.status(job)).toMatchObject({
      state: 'paused',
      cursor: 2,
      request: { type: 'pause', ...BY, at: expect.stringMatching(/^\d{4}-\d\d-\d\dT/) },
      lastInterruption: { reason: 'pause', detail: 'by anna: the database is slow' },
    });
    script.each = undefined;
    await iterations.resume(job, { by: 'bob' });
    const { attemptsMade, returnvalue } = await app.settled(job);
    expect([attemptsMade, returnvalue]).toEqual([1, { processed: 5, skipped: 0 }]);
    expect(story.slice(6)).toEqual(['resume', 'd', 'e', 'complete', 'end complete']);
    expect(await iterations.status(job)).toMatchObject({ state: 'completed', request: undefined });
  });

  it('R28: a waiting job is paused at once, builds nothing, and runs after resume', async () => {
    const { worker, iterations, type, story, web } = await webAndWorker(queues);
    const job = await iterations.enqueue(type, { letters: 'ab' });
    await iterations.pause(job);
    expect(await stateOf(web, job)).toBe('paused');
    expect(await job.getState()).toBe('waiting');
    const app = await worker();
    await until('the job is put away', () => job.isDelayed());
    expect(await iterations.status(job)).toMatchObject({ state: 'paused', run: 0, interruptions: 0 });
    expect(story).toEqual([]);
    await iterations.resume(job);
    await app.settled(job);
    expect(story).toEqual(['start', 'a', 'b', 'complete', 'end complete']);
  });

  it('R28: a prioritized and a delayed job are paused at once; resume keeps a delay of their own', async () => {
    const { worker, iterations, type, web, story } = await webAndWorker(queues);
    const prioritized = await iterations.enqueue(type, { letters: 'a' }, { priority: 5 });
    const delayed = await iterations.enqueue(type, { letters: 'b' }, { delay: 3_600_000 });
    for (const job of [prioritized, delayed]) await iterations.pause(job);
    expect([await stateOf(web, prioritized), await stateOf(web, delayed)]).toEqual(['paused', 'paused']);
    const app = await worker();
    await until('the prioritized job is put away', () => prioritized.isDelayed());
    await iterations.resume(delayed);
    expect(await iterations.status(delayed)).toMatchObject({ state: 'waiting' });
    expect(await delayed.isDelayed()).toBe(true);
    await iterations.resume(prioritized);
    expect((await app.settled(prioritized)).opts.priority).toBe(5);
    expect(story).toEqual(['start', 'a', 'complete', 'end complete']);
    await delayed.promote();
    await app.settled(delayed);
  });

  it('R28: a paused job survives new workers and holds up no other job', async () => {
    const hold = new Hold('b');
    const { worker, iterations, type, story, script, web } = await webAndWorker(queues, { each: hold.each });
    const first = await worker();
    const job = await iterations.enqueue(type, { letters: 'abc' });
    await hold.reached;
    await iterations.pause(job);
    await until('the job is put away', () => job.isDelayed());
    await first.close();
    script.each = undefined;
    const second = await worker();
    const other = await iterations.enqueue(type, { letters: 'x' });
    await second.settled(other);
    expect(await stateOf(web, job)).toBe('paused');
    expect(story.slice(5)).toEqual(['start', 'x', 'complete', 'end complete']);
    await iterations.resume(job);
    await second.settled(job);
    expect(story.slice(9)).toEqual(['resume', 'c', 'complete', 'end complete']);
  });

  it('R28: pause and resume are idempotent, and the first pause is the one that status shows', async () => {
    const { iterations, type } = await webAndWorker(queues);
    const job = await iterations.enqueue(type, {});
    await iterations.resume(job);
    await iterations.pause(job, { by: 'first' });
    await iterations.pause(job, { by: 'second' });
    expect((await iterations.status(job)).request).toMatchObject({ by: 'first' });
    await iterations.resume(job);
    await iterations.resume(job);
    expect(await iterations.status(job)).toMatchObject({ state: 'waiting', request: undefined });
  });

  it('R28: success beats a pause that comes while the last item or the complete hook is at work', async () => {
    const [last, hook] = [new Gate(), new Gate()];
    const { worker, iterations, type, story } = await webAndWorker(queues, {
      each: (letter) => (letter === 'b' ? last.wait() : undefined),
      hook: (event) => (event === 'complete' ? hook.wait() : undefined),
    });
    const app = await worker();
    const job = await iterations.enqueue(type, { letters: 'ab' });
    await last.reached;
    await iterations.pause(job);
    last.open();
    await hook.reached;
    await iterations.pause(job);
    hook.open();
    await app.settled(job);
    expect(story).toEqual(['start', 'a', 'b', 'complete', 'end complete']);
    await job.retry('completed');
    await app.settled(job);
    expect(story.slice(5)).toEqual(['start', 'a', 'b', 'complete', 'end complete']);
  });

  it('R28: a job that is retried by hand begins without the requests of its former life', async () => {
    const { worker, iterations, type, story, web } = await webAndWorker(queues);
    const job = await iterations.enqueue(type, { letters: 'ab' });
    await iterations.cancel(job);
    const app = await worker();
    await app.settled(job);
    expect(await stateOf(web, job)).toBe('cancelled');
    await job.retry('failed');
    await app.settled(job, ['completed']);
    expect(story).toEqual([
      'cancel The job was cancelled',
      'end cancel',
      'start',
      'a',
      'b',
      'complete',
      'end complete',
    ]);
  });

  it('R28: resume that meets the worker at any moment of a pause is not lost', async () => {
    const { worker, iterations, type, script } = await webAndWorker(queues);
    const app = await worker();
    for (let round = 0; round < ROUNDS; round++) {
      const [reached, withdrawn] = [new Gate(), new Gate()];
      script.each = async (letter, context) => {
        if (letter !== 'b') return;
        reached.open();
        await Promise.race([interrupted(context), withdrawn.wait()]);
      };
      const job = await iterations.enqueue(type, { letters: 'abc' });
      await reached.wait();
      await iterations.pause(job);
      if (round % 3 > 0) await until('the run ends', async () => (await iterations.status(job)).interruptions > 0);
      for (let turn = 0; turn < round; turn++) await new Promise((resolve) => setImmediate(resolve));
      await iterations.resume(job);
      withdrawn.open();
      await app.settled(job, ['completed']);
    }
  });
});

describeQueues('cancel', BACKENDS, (queues) => {
  it('R28: a running job ends as failed with an IterationCancelledError, its signal aborted', async () => {
    const aborted: unknown[] = [];
    const { worker, iterations, type, story, web } = await webAndWorker(queues, {
      each: async (letter, { signal }: IterationContext) => {
        if (letter !== 'b') return;
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        aborted.push(signal.reason);
        throw new Error('stopped at once');
      },
    });
    const app = await worker();
    const job = await iterations.enqueue(type, { letters: 'abc' }, { attempts: 3 });
    await until('the first item is done', () => story.includes('a'));
    await iterations.cancel(job, 'wrong file');
    const { failedReason } = await app.settled(job);
    expect(failedReason).toBe('The job was cancelled: wrong file');
    expect(aborted).toEqual([expect.any(IterationCancelledError)]);
    expect(story).toEqual(['start', 'a', 'cancel The job was cancelled: wrong file', 'end cancel']);
    expect(await iterations.status(job)).toMatchObject({ state: 'cancelled', cursor: 0, failedReason });
    expect(await stateOf(web, job)).toBe('cancelled');
  });

  it.each(['waiting', 'delayed', 'paused'] as const)('R28: a %s job handles no further item', async (state) => {
    const { worker, iterations, type, story } = await webAndWorker(queues);
    const job = await iterations.enqueue(type, {}, state === 'delayed' ? { delay: 3_600_000 } : {});
    if (state === 'paused') {
      await iterations.pause(job);
      const app = await worker();
      await until('the job is put away', () => job.isDelayed());
      await app.close();
    }
    await iterations.cancel(job, { by: 'anna', reason: 'no longer needed' });
    expect(await iterations.status(job)).toMatchObject({
      state: 'cancelling',
      request: { type: 'cancel', by: 'anna' },
    });
    const { failedReason } = await (await worker()).settled(job);
    expect(failedReason).toBe('The job was cancelled by anna: no longer needed');
    expect(story).toEqual([`cancel ${failedReason}`, 'end cancel']);
  });

  it('R28: a job that waits in retryIn is cancelled at once', async () => {
    const { worker, iterations, type, story } = await webAndWorker(queues, {
      each: (letter, context: IterationContext) => letter === 'a' && context.retryIn(3_600_000),
    });
    const app = await worker();
    const job = await iterations.enqueue(type, { letters: 'ab' });
    await until('the job is put back', () => job.isDelayed());
    await iterations.cancel(job);
    await app.settled(job);
    expect(story.slice(-2)).toEqual(['cancel The job was cancelled', 'end cancel']);
  });

  it('R28: of two contrary requests the later one wins, and both are in the history', async () => {
    const hold = new Hold('b');
    const { worker, iterations, type, story, script } = await webAndWorker(queues, { each: hold.each });
    const app = await worker();
    const job = await iterations.enqueue(type, { letters: 'abc' });
    await hold.reached;
    await iterations.cancel(job, 'first');
    await iterations.pause(job, { reason: 'second' });
    await until('the job is put away', () => job.isDelayed());
    expect(story).toEqual(['start', 'a', 'b', 'interrupt pause', 'end interrupt']);
    script.each = undefined;
    await iterations.cancel(job, 'third');
    await app.settled(job);
    expect((await iterations.requests(job)).map(({ type, reason }) => [type, reason])).toEqual([
      ['cancel', 'first'],
      ['pause', 'second'],
      ['cancel', 'third'],
    ]);
  });
});

describeQueues('restart', BACKENDS, (queues) => {
  it('R28: a completed job starts anew, a failed and a cancelled one too, with a fresh budget', async () => {
    const { worker, iterations, type, story, script, web } = await webAndWorker(queues);
    const app = await worker();
    const job = await iterations.enqueue(type, { letters: 'ab' }, { attempts: 2 });
    await app.settled(job);
    story.length = 0;
    script.each = (letter) => {
      if (letter === 'b') throw new Error('bad row');
    };
    await iterations.restart(job);
    await app.settled(job, ['failed']);
    expect(story).toEqual(['start', 'a', 'end retry', 'resume', 'fail bad row', 'end fail']);
    script.each = (_, context) => interrupted(context);
    story.length = 0;
    await iterations.restart(job);
    await until('it runs', () => story.includes('start'));
    await iterations.cancel(job);
    await app.settled(job, ['failed']);
    expect(await stateOf(web, job)).toBe('cancelled');
    script.each = undefined;
    story.length = 0;
    await iterations.restart(job, { cursor: 0 });
    await app.settled(job, ['completed']);
    expect(story).toEqual(['start', 'b', 'complete', 'end complete']);
    expect(await iterations.status(job)).toMatchObject({ processed: 1, run: 1, failures: 0 });
  });

  it('R28: a paused job restarts after a cursor, and runs', async () => {
    const hold = new Hold('d');
    const { worker, iterations, type, story, script } = await webAndWorker(queues, { each: hold.each });
    const app = await worker();
    const job = await iterations.enqueue(type, { letters: 'abcde' });
    await hold.reached;
    const running = iterations.restart(job);
    await expect(running).rejects.toThrow(JobStateError);
    await expect(running).rejects.toThrow('is running, so it cannot be restarted: pause it first');
    await iterations.pause(job);
    await until('the job is put away', () => job.isDelayed());
    script.each = undefined;
    story.length = 0;
    await iterations.restart(job, { cursor: 1 });
    await app.settled(job);
    expect(story).toEqual(['start', 'c', 'd', 'e', 'complete', 'end complete']);
  });

  it('R28: a waiting job shows the cursor of its restart at once; null is the beginning of the source', async () => {
    const { worker, iterations, type, story } = await webAndWorker(queues);
    const job = await iterations.enqueue(type, { letters: 'abcd' }, { cursor: 1 });
    await iterations.restart(job, { cursor: 2 });
    expect(await iterations.status(job)).toMatchObject({ state: 'waiting', cursor: 2, processed: 0 });
    await iterations.restart(job);
    expect(await iterations.status(job)).toMatchObject({ cursor: 1 });
    await iterations.restart(job, { cursor: null });
    await (await worker()).settled(job);
    expect(story).toEqual(['start', 'a', 'b', 'c', 'd', 'complete', 'end complete']);
  });
});

describeQueues('requests that cannot be met', BACKENDS, (queues) => {
  it('R28: an unknown job, one that has ended and wrong options have errors with an HTTP status', async () => {
    const { worker, iterations, type } = await webAndWorker(queues);
    const app = await worker();
    const job = await iterations.enqueue(type, { letters: 'a' });
    await app.settled(job);
    const nobody = { queue: 'jobs', id: 'nobody' };
    for (const method of ['pause', 'resume', 'cancel', 'restart', 'requests'] as const) {
      await expect(iterations[method](nobody), method).rejects.toMatchObject({
        name: 'JobNotFoundError',
        statusCode: 404,
      });
    }
    await expect(iterations.pause(nobody)).rejects.toBeInstanceOf(JobNotFoundError);
    for (const method of ['pause', 'resume', 'cancel'] as const) {
      await expect(iterations[method](job), method).rejects.toMatchObject({ name: 'JobStateError', statusCode: 409 });
    }
    await expect(iterations.pause(job)).rejects.toThrow(
      `Job "${job.id}" of queue "jobs" has ended (completed): only restart() and a retry start it again`,
    );
    await expect(iterations.pause(job, { because: 'x' } as never)).rejects.toBeInstanceOf(InvalidOptionsError);
    await expect(iterations.pause(job, { by: '' })).rejects.toMatchObject({ statusCode: 400 });
    await expect(iterations.restart(job, { cursor: { at: new Date(0) } as never })).rejects.toBeInstanceOf(
      InvalidCursorError,
    );
    await expect(iterations.pause({ queue: 'elsewhere', id: '1' })).rejects.toThrow(
      'The queue "elsewhere" is not registered',
    );
  });

  it('R28: a job that was removed is gone with its requests: a new one of the same id has none', async () => {
    const { iterations, type } = await webAndWorker(queues);
    const job = await iterations.enqueue(type, {}, { jobId: 'mine' });
    await iterations.pause(job);
    await job.remove();
    await expect(iterations.resume({ queue: 'jobs', id: 'mine' })).rejects.toBeInstanceOf(JobNotFoundError);
    await iterations.enqueue(type, {}, { jobId: 'mine' });
    expect(await iterations.status({ queue: 'jobs', id: 'mine' })).toMatchObject({
      state: 'waiting',
      request: undefined,
    });
  });
});
