import { userInfo } from 'node:os';
import type { Job } from 'bullmq';
import { expect, it } from 'vitest';
import type { IterationStatus } from '../../lib/index.js';
import { BACKENDS, describeQueues, type TestApp } from '../support/app.js';
import { wordsProcessor } from '../support/parted.js';
import { Hold, storyProcessor } from '../support/story.js';
import { until } from '../support/until.js';
import { called, command, placeOptions, type Result } from './command.js';

/** Lines of a table, each by its headings: columns are two spaces apart. */
function rowsOf({ out }: Result): Record<string, string>[] {
  const [headings = '', ...lines] = out.trimEnd().split('\n');
  const columns = [...headings.matchAll(/\S+/g)].map(({ 0: name, index }) => ({ name, index }));
  return lines.map((line) =>
    Object.fromEntries(
      columns.map(({ name, index }, at) => [name.toLowerCase(), line.slice(index, columns[at + 1]?.index).trim()]),
    ),
  );
}

describeQueues('the command line', BACKENDS, (queues) => {
  const atQueue = (...args: string[]) => [...args, '-q', 'jobs', ...placeOptions(queues)];
  const run = (...args: string[]) => called(atQueue(...args));
  const json = async (...args: string[]) => JSON.parse((await run(...args, '--json')).out);
  const jsonOf = (status: unknown) => JSON.parse(JSON.stringify(status));

  function inState(app: TestApp, job: Job, state: string): Promise<IterationStatus> {
    return until(`job ${job.id} is ${state}`, async () => {
      const status = await app.iterations.status(job);
      return status.state === state && status;
    });
  }

  it('list shows the jobs of a queue from a process of its own, and status and runs one of them', async () => {
    const { type } = storyProcessor();
    const app = await queues.start({ processors: [type] });
    const done = await app.iterations.enqueue(type, { letters: 'abc' }, { jobId: 'done' });
    await app.settled(done);
    await app.iterations.enqueue(type, {}, { jobId: 'later', delay: 600_000 });

    const [list, status, runs, listed, completed, empty] = await Promise.all([
      command(atQueue('list')),
      run('status', 'done'),
      run('runs', 'done'),
      json('list'),
      run('list', '--state', 'completed,failed', '--name', 'story'),
      run('list', '--state', 'paused'),
    ]);
    expect(rowsOf(list)).toMatchObject([
      { id: 'later', name: 'story', state: 'waiting', percent: '-', processed: '0', skipped: '0', eta: '-' },
      { id: 'done', name: 'story', state: 'completed', percent: '100%', processed: '3', skipped: '0', eta: '0ms' },
    ]);
    expect(status.out).toMatch(
      /^job: +done\nqueue: +jobs\nname: +story\nstate: +completed\nprogress: +3 of 3 items, 100%\n/,
    );
    expect(status.out).toMatch(/^cursor: +2$/m);
    expect(rowsOf(runs)).toMatchObject([{ run: '1', items: '3', outcome: 'complete' }]);
    expect(listed).toEqual(jsonOf(await app.iterations.list('jobs')));
    expect(rowsOf(completed).map(({ id }) => id)).toEqual(['done']);
    expect(empty).toEqual({ code: 0, out: 'No such jobs.\n', err: '' });
  });

  it('R29: status of a job in parts counts them by state, and list --part-of lists them', async () => {
    const { type } = wordsProcessor({
      each: async (letter, context) => {
        if (letter === 'x') throw new Error('bad row');
        if (letter === 'h') await until('the run is asked to stop', () => context.interruption !== undefined);
      },
    });
    const app = await queues.start({ processors: [type] });
    const job = await app.iterations.enqueue(type, { parts: ['ab', 'x', 'hi', 'cd'] }, { jobId: 'whole' });
    await until('one part is held, and the others have ended', async () => {
      const { partStates } = await app.iterations.status(job);
      return partStates?.running === 1 && partStates.completed === 2 && (await job.isWaitingChildren());
    });
    const [status, list, parts, failed, nobody] = await Promise.all([
      run('status', 'whole'),
      run('list'),
      run('list', '--part-of', 'whole'),
      json('list', '--part-of', 'whole', '--state', 'failed'),
      run('list', '--part-of', 'nobody'),
    ]);
    expect(status.out).toMatch(/^parts: +4 parts: 1 running, 2 completed, 1 failed$/m);
    expect(rowsOf(list)).toMatchObject([
      { id: 'whole', state: 'running', note: '4 parts: 1 running, 2 completed, 1 failed' },
    ]);
    expect(rowsOf(parts).map(({ state }) => state)).toEqual(['completed', 'failed', 'running', 'completed']);
    expect(failed).toMatchObject([{ part: { of: 'whole', index: 1 }, failedReason: 'bad row' }]);
    expect((await run('status', failed[0].id)).out).toMatch(/^part: +1 of job whole$/m);
    expect([nobody.code, nobody.out]).toEqual([3, '']);
    expect((await run('cancel', '--all', '--part-of', 'whole', '--state', 'running')).out).toBe('cancel: 1 jobs\n');
    await app.settled(job);
  });

  it('R28: pause stops a running job, status says who asked and why, and resume lets it continue', async () => {
    const hold = new Hold('b');
    const { type, story } = storyProcessor({ each: hold.each });
    const app = await queues.start({ processors: [type] });
    const job = await app.iterations.enqueue(type, { letters: 'abc' }, { jobId: 'held' });
    await hold.reached;
    const paused = await run('pause', 'held', '--by', 'anna', '--reason', 'the database is slow');
    expect(paused).toMatchObject({ code: 0, err: '' });
    expect(paused.out).toMatch(/^Job held \(story\) is paus(ing|ed), (before its first item|after cursor 0)\.\n$/);
    await inState(app, job, 'paused');
    expect((await run('status', 'held')).out).toMatch(/^request: +pause by anna: the database is slow at 20/m);
    expect(rowsOf(await run('list'))).toMatchObject([{ state: 'paused', note: 'pause by anna: the database is slow' }]);
    expect((await run('resume', 'held')).code).toBe(0);
    await app.settled(job);
    expect(story.filter((line) => line.length === 1)).toEqual(['a', 'b', 'c']);
    const asked = await app.iterations.requests(job);
    expect(asked).toMatchObject([
      { type: 'pause', by: 'anna' },
      { type: 'resume', by: userInfo().username },
    ]);
  });

  it('R28: cancel ends a job; the ended job refuses pause with exit code 1', async () => {
    const { type } = storyProcessor();
    const web = await queues.start({ iteration: { workers: false } });
    const job = await web.iterations.enqueue(type, {}, { jobId: 'wrong' });
    expect((await run('cancel', 'wrong', '--by', 'anna', '--reason', 'wrong file')).out).toBe(
      'Job wrong (story) is cancelling, before its first item.\n',
    );
    const app = await queues.start({ processors: [type] });
    expect((await app.settled(job)).failedReason).toBe('The job was cancelled by anna: wrong file');
    const refused = await run('pause', 'wrong', '--json');
    expect([refused.code, refused.out]).toEqual([1, '']);
    expect(JSON.parse(refused.err)).toEqual({
      error: {
        name: 'JobStateError',
        message: 'Job "wrong" of queue "jobs" has ended (cancelled): only restart() and a retry start it again',
        exitCode: 1,
      },
    });
  });

  it('restart --cursor starts a completed job after that cursor', async () => {
    const { type, story } = storyProcessor();
    const app = await queues.start({ processors: [type] });
    const job = await app.iterations.enqueue(type, { letters: 'abcd' }, { jobId: 'again' });
    await app.settled(job);
    story.length = 0;
    expect((await run('restart', 'again', '--cursor', '1')).code).toBe(0);
    await until('the job has ended again', () => story.includes('end complete'));
    expect(story).toEqual(['start', 'c', 'd', 'complete', 'end complete']);
  });

  it('restart --cursor null starts at the beginning of the source, restart alone where the job began', async () => {
    const { type } = storyProcessor();
    const app = await queues.start({ iteration: { workers: false } });
    await app.iterations.enqueue(type, {}, { jobId: 'began', cursor: 2 });
    expect(await json('restart', 'began', '--cursor', 'null')).toMatchObject({ state: 'waiting', cursor: null });
    expect((await run('restart', 'began')).out).toBe('Job began (story) is waiting, after cursor 2.\n');
  });

  it('R31: tune changes the settings of a job', async () => {
    const { type } = storyProcessor();
    const app = await queues.start({ iteration: { workers: false } });
    await app.iterations.enqueue(type, {}, { jobId: 'slow' });
    const tuned = await json('tune', 'slow', '--concurrency', '3', '--rate', '2.5');
    expect(tuned).toMatchObject({ id: 'slow', settings: { itemConcurrency: 3, itemsPerSecond: 2.5 } });
    expect((await run('tune', 'slow', '--rate', 'none')).code).toBe(0);
    expect((await app.iterations.status({ queue: 'jobs', id: 'slow' })).settings).toEqual({ itemConcurrency: 3 });
  });

  it('R24: dead-letters lists the skipped items, and redrive adds a job over them', async () => {
    const { type, script } = storyProcessor({}, { itemFailure: { then: 'skip' } });
    script.each = (letter) => {
      if (letter === 'b') throw new TypeError('no such customer');
    };
    const app = await queues.start({ processors: [type] });
    const job = await app.iterations.enqueue(type, { letters: 'abc' }, { jobId: 'some' });
    await app.settled(job);
    expect(rowsOf(await run('dead-letters', 'some'))).toMatchObject([
      { cursor: '1', tries: '1', error: 'TypeError: no such customer', item: '"b"' },
    ]);
    script.each = () => {};
    const added = await json('redrive', 'some');
    await app.settled((await app.queue().getJob(added.id)) as Job);
    const [none, again, unknown, unknownLetters] = await Promise.all([
      run('dead-letters', 'some'),
      run('redrive', 'some'),
      run('redrive', 'nobody'),
      run('dead-letters', 'nobody'),
    ]);
    expect(none.out).toBe('The job has no dead letters.\n');
    expect([again.code, unknown.code, unknownLetters.code]).toEqual([1, 3, 3]);
    expect(again.err).toBe('error: Job "some" of queue "jobs" has no dead letters: there is nothing to redrive\n');
  });

  it('--all asks the same of every job that --state and --name choose; a refusal gives exit code 1', async () => {
    const { type } = storyProcessor();
    const app = await queues.start({ iteration: { workers: false } });
    for (const jobId of ['one', 'two', 'three']) await app.iterations.enqueue(type, {}, { jobId });
    await app.queue().add('other', {}, { jobId: 'other' });
    expect(await run('pause', '--all', '--state', 'waiting', '--name', 'story')).toEqual({
      code: 0,
      out: 'pause: 3 jobs\n',
      err: '',
    });
    expect((await json('list', '--state', 'paused')).map(({ id }: IterationStatus) => id).toSorted()).toEqual([
      'one',
      'three',
      'two',
    ]);
    expect(await json('resume', '--all', '--state', 'paused')).toEqual({ done: 3, refused: 0, errors: [] });
    const worker = await queues.start({ processors: [type] });
    await worker.settled((await app.queue().getJob('three')) as Job);
    await until('all three are completed', async () => (await app.queue().getCompletedCount()) === 3);
    const refused = await run('cancel', '--all', '--state', 'completed');
    expect(refused.code).toBe(1);
    expect(refused.out).toContain('cancel: 0 jobs, 3 refused:\n  Job "');
  });

  it('a job that is not there gives exit code 3, for every command', async () => {
    const app = await queues.start({});
    await app.queue().waitUntilReady(); // its schema is there
    const calls = [['status'], ['runs'], ['pause'], ['resume'], ['cancel'], ['restart'], ['tune', '--rate', '1']];
    const place = ['-q', 'jobs', ...placeOptions(queues)];
    const results = await Promise.all(
      calls.map(([name = '', ...options]) => called([name, 'nobody', ...options, ...place])),
    );
    for (const { code, err } of results) {
      expect(code).toBe(3);
      expect(err).toBe(
        'error: Queue "jobs" has no job "nobody": it never existed, or was removed (see removeOnComplete). If the job exists, check --prefix and --schema\n',
      );
    }
  });

  it('hostile ids, names and errors are shown escaped, and reach JSON unchanged', async () => {
    const id = '-\u001b]0;owned\u0007 $(id) "x"';
    const message = '\u001b[2J\u202egnihton\nerror: faked\u009b1m';
    const { type } = storyProcessor({
      each: () => {
        throw new Error(message);
      },
    });
    const app = await queues.start({ processors: [type] });
    const job = await app.iterations.enqueue(type, {}, { jobId: id });
    await app.settled(job);
    const call = (name: string, ...options: string[]) =>
      command([name, '-q', 'jobs', ...placeOptions(queues), ...options, ...(name === 'list' ? [] : ['--', id])]);
    const [list, status, listed, refused] = await Promise.all([
      call('list'),
      call('status'),
      call('list', '--json'),
      call('pause'),
    ]);
    for (const { out, err } of [list, status, listed, refused]) {
      expect(`${out}${err}`.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
    }
    expect(rowsOf(list)).toMatchObject([{ id: '-\\u{1b}]0;owned\\u{7} $(id) "x"', state: 'failed' }]);
    expect(status.out).toMatch(/^failed: +\\u\{1b\}\[2J\\u\{202e\}gnihton\\u\{a\}error: faked\\u\{9b\}1m$/m);
    expect(JSON.parse(listed.out)).toMatchObject([{ id, failedReason: message }]);
    expect(refused.code).toBe(1);
  });
});
