import type { Job } from 'bullmq';
import { expect, it } from 'vitest';
import { InvalidOptionsError, type IterationContext, JobNotFoundError } from '../../lib/index.js';
import { Gate } from '../../lib/testing/gate.js';
import type { HeldData } from '../processes/held.js';
import { BACKENDS, describeQueues, type Queues } from '../support/app.js';
import { endLocksOf, LASTING_LOCKS } from '../support/dead-locks.js';
import { WorkerProcess } from '../support/processes.js';
import { type Data, Hold, interrupted, type Script, storyProcessor } from '../support/story.js';
import { until } from '../support/until.js';

/** A web process without workers, a worker that is started later, and the processor of its jobs. */
async function webAndWorker(queues: Queues, script: Script = {}, options = {}) {
  const processor = storyProcessor(script, options);
  const web = await queues.start({ iteration: { workers: false } });
  const worker = () => queues.start({ processors: [processor.type] });
  return { ...processor, web, worker, iterations: web.iterations };
}

const lifeOf = (letters: string) => ['start', ...letters, 'complete', 'end complete'];

const isParked = (job: Job) => until('the job is put away', () => job.isDelayed());

describeQueues('restarts that meet each other', BACKENDS, (queues) => {
  it.each(['completed', 'failed'] as const)(
    'R28: two processes restart the same %s job at once: both succeed, and it runs once more',
    async (ended) => {
      const { web, worker, iterations, type, story, script } = await webAndWorker(queues);
      const other = await queues.start({ iteration: { workers: false } });
      const first = await worker();
      script.each = () => {
        if (ended === 'failed') throw new Error('bad row');
      };
      const jobs = await Promise.all(Array.from({ length: 5 }, () => iterations.enqueue(type, { letters: 'a' })));
      for (const job of jobs) await first.settled(job, [ended]);
      await first.close();
      script.each = undefined;
      story.length = 0;
      for (const job of jobs) await Promise.all([iterations.restart(job), other.iterations.restart(job)]);
      expect(await web.queue().getJobCountByTypes('waiting')).toBe(jobs.length);
      const second = await worker();
      for (const job of jobs) await second.settled(job, ['completed']);
      expect(story).toEqual(jobs.flatMap(() => ['start', 'a', 'complete', 'end complete']));
    },
  );

  it('R28: a restart whose job has run and ended before it is retried does not run it twice', async () => {
    const { worker, iterations, type, story, web } = await webAndWorker(queues);
    const app = await worker();
    const job = await iterations.enqueue(type, { letters: 'a' });
    await app.settled(job);
    const { getJobState } = web.queue();
    let looks = 0;
    web.queue().getJobState = async (id) => {
      // Between the request and the retry, another process restarts the job, which completes.
      if (++looks === 2) {
        const { iterations: others } = await queues.start({ iteration: { workers: false } });
        await others.restart(job);
        await app.settled(job);
      }
      return getJobState.call(web.queue(), id);
    };
    await iterations.restart(job);
    await app.settled(job);
    await app.close();
    expect(story.filter((event) => event === 'complete')).toHaveLength(2);
  });
});

describeQueues('requests while the source is built', BACKENDS, (queues) => {
  it('R11: a job that is paused while it builds calls no hooks, and starts after resume', async () => {
    const building = new Gate();
    const { worker, iterations, type, story, script } = await webAndWorker(queues, {
      build: async (context, enumerators) => {
        building.open();
        await interrupted(context as unknown as IterationContext<Data>);
        return enumerators.array([...'ab'], { cursor: context.cursor });
      },
    });
    const app = await worker();
    const job = await iterations.enqueue(type, { letters: 'ab' });
    await building.wait();
    await iterations.pause(job, { by: 'anna' });
    await isParked(job);
    expect(story).toEqual([]);
    expect(await iterations.status(job)).toMatchObject({ state: 'paused', run: 0, interruptions: 0 });
    script.build = undefined;
    await iterations.resume(job);
    await app.settled(job);
    expect(story).toEqual(['start', 'a', 'b', 'complete', 'end complete']);
  });
});

describeQueues('a cancellation that has taken effect', BACKENDS, (queues) => {
  it('R28: once the cancel hooks may have been called, pause and resume are refused, and restart starts anew', async () => {
    const web = await queues.start({ iteration: { workers: false } });
    const config = {
      place: queues.place,
      postgresQueue: queues.backend === 'postgres',
      iteration: { worker: LASTING_LOCKS },
    };
    const first = new WorkerProcess(config, 'held');
    let second: WorkerProcess | undefined;
    try {
      const data: HeldData = { items: 3, holdAt: 'cancel' };
      const job = await web.queue().add('held', data, { jobId: 'one' });
      await web.iterations.cancel(job);
      await first.said(/^held one$/);
      const expectRefusals = async () => {
        for (const method of ['pause', 'resume'] as const)
          await expect(web.iterations[method](job)).rejects.toThrow('was cancelled: only restart() starts it again');
        await web.iterations.cancel(job);
        expect(await web.iterations.status(job)).toMatchObject({ state: 'cancelling' });
      };
      await expectRefusals();
      await first.kill();
      await endLocksOf(first.child.pid, queues);
      await expectRefusals();
      second = new WorkerProcess(config, 'held');
      await until('the next worker has ended it', () => job.isFailed());
      expect(await web.iterations.status(job)).toMatchObject({ state: 'cancelled' });
      await web.iterations.restart(job);
      await until('it is complete', () => job.isCompleted());
    } finally {
      await Promise.all([first, second].map((process) => process?.kill()));
    }
  });
});

describeQueues('requests at odd moments', BACKENDS, (queues) => {
  it('R28: a request between a retry by hand and its run holds, whatever was asked before the job failed', async () => {
    const { worker, iterations, type, story, script } = await webAndWorker(queues, {
      each: () => {
        throw new Error('bad row');
      },
    });
    const first = await worker();
    const jobs = await Promise.all(
      ['one', 'two'].map((jobId) => iterations.enqueue(type, { letters: 'ab' }, { jobId })),
    );
    for (const job of jobs) await first.settled(job);
    await first.close();
    script.each = undefined;
    story.length = 0;
    const [paused, cancelled] = jobs as [Job, Job];
    await paused.retry('failed');
    await cancelled.retry('failed');
    await iterations.pause(paused);
    await iterations.cancel(cancelled);
    expect(await iterations.status(paused)).toMatchObject({ state: 'paused' });
    const app = await worker();
    await isParked(paused);
    await app.settled(cancelled, ['failed']);
    expect(await iterations.status(cancelled)).toMatchObject({ state: 'cancelled' });
    expect(story).toEqual(['cancel The job was cancelled', 'end cancel']);
    await iterations.resume(paused);
    await app.settled(paused, ['completed']);
    await cancelled.retry('failed');
    await app.settled(cancelled, ['completed']);
    expect(story.slice(2)).toEqual(
      [...lifeOf('ab'), ...lifeOf('ab')].map((event) => (event === 'start' ? 'resume' : event)),
    );
  });

  it('R10, R28: a job whose processor has another version is resumed as its onChange says', async () => {
    const old = storyProcessor({}, { version: 1 });
    const web = await queues.start({ iteration: { workers: false } });
    const first = await queues.start({ processors: [old.type] });
    const job = await web.iterations.enqueue(old.type, { letters: 'abcd' }, { canary: 2 });
    await isParked(job);
    await first.close();
    const next = storyProcessor({}, { version: 2, onChange: ({ version, cursor }) => (version === 1 ? 0 : cursor) });
    const second = await queues.start({ processors: [next.type] });
    await web.iterations.resume(job);
    await second.settled(job, ['completed']);
    expect(next.story).toEqual(['resume', 'b', 'c', 'd', 'complete', 'end complete']);
  });

  it('R28: a request for a job that is being removed is accepted or refused, and not kept for its id', async () => {
    const { iterations, type } = await webAndWorker(queues);
    for (let round = 0; round < 20; round++) {
      const job = await iterations.enqueue(type, {}, { jobId: 'mine' });
      const answers = Promise.allSettled([
        iterations.pause(job),
        iterations.cancel(job),
        iterations.tune(job, { itemsPerSecond: 9 }),
      ]);
      await job.remove();
      for (const answer of await answers)
        if (answer.status === 'rejected') expect(answer.reason).toBeInstanceOf(JobNotFoundError);
      await iterations.enqueue(type, {}, { jobId: 'mine' });
      expect(await iterations.status(job)).toMatchObject({ state: 'waiting', request: undefined });
      expect(await iterations.requests(job)).toEqual([]);
      await job.remove();
    }
  });
});

describeQueues('hostile values', BACKENDS, (queues) => {
  it.each([
    'a b\n',
    'quote\' " ` \\ -- ;',
    '{curly} [square] *?',
    '../..%00%2F#?&=',
    'ünïcödé 🐘 עברית',
    '<img src=x onerror=alert(1)>',
    '__proto__',
    'x'.repeat(500),
  ])('R28: a job of the id %j is paused, shown, resumed, restarted and cancelled', async (jobId) => {
    const { worker, iterations, type, story } = await webAndWorker(queues);
    const job = await iterations.enqueue(type, { letters: 'a' }, { jobId });
    const ref = { queue: 'jobs', id: jobId };
    await iterations.pause(ref, { by: 'anna' });
    expect(await iterations.list('jobs', { states: ['paused'] })).toMatchObject([{ id: jobId }]);
    const app = await worker();
    await isParked(job);
    await iterations.resume(ref);
    await app.settled(job, ['completed']);
    await iterations.restart(ref);
    await until('it has run again', () => story.length === 8);
    await app.settled(job, ['completed']);
    await app.close();
    await iterations.restart(ref);
    await iterations.cancel(ref);
    await (await worker()).settled(job, ['failed']);
    expect((await iterations.requests(ref)).map(({ type }) => type)).toEqual([
      'pause',
      'resume',
      'restart',
      'restart',
      'cancel',
    ]);
  });

  it.each([
    ['markup', `<script>alert("x")</script>'; DROP TABLE job; -- %s %n {{x}} `],
    ['control characters', '\u0000\u0001\u001b[31m\r\n\t\u007f\u2028'],
    ['broken Unicode', '\ud800 \udfff\ufffe'],
    ['names of objects', '{"__proto__":{"a":1}} constructor '],
  ])('R28: 1,000 characters of %s in by and reason are kept, as far as a database can keep them', async (_, text) => {
    const hostile = text.repeat(1_000).slice(0, 1_000);
    const asked = { by: hostile, reason: hostile };
    const shown = hostile.replace(/\0|\ud800|\udfff/gu, '\ufffd');
    const kept = { by: shown, reason: shown };
    const hold = new Hold('b');
    const { worker, iterations, type, story } = await webAndWorker(queues, { each: hold.each });
    const app = await worker();
    const job = await iterations.enqueue(type, { letters: 'abc' });
    await hold.reached;
    await iterations.pause(job, asked);
    await isParked(job);
    expect(story).toEqual(['start', 'a', 'b', 'interrupt pause', 'end interrupt']);
    expect(await iterations.status(job)).toMatchObject({ state: 'paused', request: kept });
    expect(await iterations.requests(job)).toMatchObject([kept]);
    await iterations.cancel(job, asked);
    await app.settled(job, ['failed']);
    expect(await iterations.status(job)).toMatchObject({ state: 'cancelled' });
    expect((await iterations.requests(job)).at(-1)).toMatchObject(kept);
    await expect(
      iterations.restart(job).then(() => iterations.pause(job, { by: `${hostile}x` })),
    ).rejects.toBeInstanceOf(InvalidOptionsError);
  });

  it('R37: a job pauses itself for an item whose error has characters that a database cannot keep', async () => {
    const { worker, iterations, type } = await webAndWorker(
      queues,
      {
        each: (letter) => {
          if ('bc'.includes(letter)) throw new Error('bad \0 \ud800 row');
        },
      },
      { itemFailure: { then: 'skip', limit: 1, onLimit: 'pause' } },
    );
    await worker();
    const job = await iterations.enqueue(type, { letters: 'abcd' });
    await isParked(job);
    const { lastInterruption, request } = await iterations.status(job);
    expect([lastInterruption?.detail, request?.reason]).toEqual([
      expect.stringContaining('bad \ufffd \ufffd row'),
      expect.stringContaining('bad \ufffd \ufffd row'),
    ]);
  });

  it('R28: bulk over 2,000 jobs that is cut off is resumed by calling it again', async () => {
    const { web, iterations } = await webAndWorker(queues);
    const other = await queues.start({ iteration: { workers: false } });
    await web.queue().addBulk(Array.from({ length: 2_000 }, () => ({ name: 'story', data: {} })));
    const { getJobState } = web.queue();
    let asked = 0;
    web.queue().getJobState = (id) => {
      if (++asked > 700) throw new Error('the backend is away');
      return getJobState.call(web.queue(), id);
    };
    await expect(iterations.bulk('jobs', 'pause', { by: 'anna' })).rejects.toThrow('the backend is away');
    const paused = await other.iterations.list('jobs', { states: ['paused'], end: -1 });
    expect(paused.length).toBeGreaterThan(500);
    expect(paused.length).toBeLessThanOrEqual(700);
    expect(await other.iterations.bulk('jobs', 'pause', { by: 'bob' })).toEqual({
      done: 2_000,
      refused: 0,
      errors: [],
    });
    const all = await other.iterations.list('jobs', { states: ['paused'], end: -1 });
    expect(all).toHaveLength(2_000);
    expect(all.filter(({ request }) => request?.by === 'anna')).toHaveLength(paused.length);
    expect(await other.iterations.requests({ queue: 'jobs', id: paused[0]?.id as string })).toHaveLength(1);
  });
});
