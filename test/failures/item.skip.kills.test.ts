import type { Worker } from 'bullmq';
import { afterEach, expect, it, vi } from 'vitest';
import type { Checkpoint } from '../../lib/checkpoint/checkpoint.js';
import type { CheckpointStore } from '../../lib/checkpoint/checkpoint.store.js';
import { PostgresCheckpointStore } from '../../lib/checkpoint/checkpoint.store.postgres.js';
import { RedisCheckpointStore } from '../../lib/checkpoint/checkpoint.store.redis.js';
import { DeadLetterQueue } from '../../lib/dead-letters/dead-letter.queue.js';
import { batchesOf } from '../../lib/enumerators/contract/batches.js';
import { SourceEnumerator, sourceOf } from '../../lib/enumerators/contract/index.js';
import { Gate } from '../../lib/testing/gate.js';
import { BACKENDS, describeQueues } from '../support/app.js';
import { endLocks } from '../support/dead-locks.js';
import { Hold, storyProcessor } from '../support/story.js';
import { until } from '../support/until.js';
import { recordWorkers } from '../support/workers.js';

/** Where a worker freezes or dies while it skips the letter b. */
const STEPS = [
  'before the checkpoint with the letter',
  'after the checkpoint with the letter',
  'before the letter is written',
  'after the letter is written',
  'before the checkpoint without the letter',
  'after the checkpoint without the letter',
] as const;
type Step = (typeof STEPS)[number];

/** The test ends the locks itself; the next renewal then reports that they are lost. */
const WORKER = { lockDuration: 60_000, lockRenewTime: 200, stalledInterval: 100 };

describeQueues('a worker that freezes or stops while it skips an item', BACKENDS, (queues) => {
  const workers = recordWorkers();
  afterEach(() => {
    vi.restoreAllMocks();
  });

  /** Holds the first caller that reaches the step. */
  function holdAt(step: Step): Gate {
    const gate = new Gate();
    let isHeld = false;
    const at = async (place: Step) => {
      if (place !== step || isHeld) return;
      isHeld = true;
      await gate.wait();
    };
    const Store = queues.backend === 'redis' ? RedisCheckpointStore : PostgresCheckpointStore;
    const store = Store.prototype as Pick<CheckpointStore, 'save'>;
    const { save } = store;
    let carried = false;
    vi.spyOn(store, 'save').mockImplementation(async function (this: CheckpointStore, ...args) {
      const { letter } = args[2] as Checkpoint;
      const around = (when: 'before' | 'after') =>
        letter
          ? at(`${when} the checkpoint with the letter`)
          : carried && at(`${when} the checkpoint without the letter`);
      await around('before');
      const saved = await save.apply(this, args);
      await around('after');
      carried ||= letter !== undefined;
      return saved;
    });
    const { put } = DeadLetterQueue.prototype;
    vi.spyOn(DeadLetterQueue.prototype, 'put').mockImplementation(async function (this: DeadLetterQueue, ...args) {
      await at('before the letter is written');
      await put.apply(this, args);
      await at('after the letter is written');
    });
    return gate;
  }

  it.each(STEPS)('R24: a worker frozen %s writes one letter and loses no item', async (step) => {
    const gate = holdAt(step);
    const tries: string[] = [];
    const signals: AbortSignal[] = [];
    const { type, story } = storyProcessor(
      {
        each: async (letter, { signal }) => {
          tries.push(letter);
          signals.push(signal);
          if (letter === 'b') throw new Error('bad b');
        },
      },
      { itemFailure: { then: 'skip' }, checkpoint: { everyMs: 600_000 } },
    );
    const options = { processors: [type], iteration: { worker: WORKER, shutdown: { deadlineMs: 500 } } };
    const frozen = await queues.start(options);
    const job = await frozen.queue().add('story', { letters: 'abcd' });
    await gate.reached;
    const [zombie] = workers as [Worker];
    await zombie.pause(true);
    await endLocks(queues);

    const other = await queues.start(options);
    const done = await other.settled(job);
    await until('the held run knows that its lock is lost', () => signals[0]?.aborted);
    gate.open();
    await until('the frozen worker has noticed', () => queues.logs.some((line) => line.includes('lost its lock')));
    const isSaved = step !== 'before the checkpoint with the letter'; // otherwise a is unsaved too
    expect(tries.join('')).toBe(isSaved ? 'abcd' : 'ababcd');
    expect(done.returnvalue).toEqual({ processed: 3, skipped: 1 });
    expect(await other.iterations.status(job)).toMatchObject({ skipped: 1, processed: 3, state: 'completed' });
    const letters = await other.iterations.deadLetters(job);
    expect(letters).toMatchObject([{ before: 0, cursor: 1, tries: 1, error: { message: 'bad b' } }]);
    const { letter } = ((await other.queue().getJob(job.id as string)) as { progress: Checkpoint }).progress;
    expect(letter).toBeUndefined();
    expect(story.filter((event) => event === 'complete' || event === 'end complete')).toHaveLength(2);
    expect(story.filter((event) => event.startsWith('skip')).length).toBeLessThanOrEqual(1);
  });

  it('R24: a shutdown deadline that passes while a letter is being written leaves it to the next run', async () => {
    const gate = holdAt('before the letter is written');
    const processor = storyProcessor(
      {
        each: async (letter) => {
          if (letter === 'b') throw new Error('bad b');
        },
      },
      { itemFailure: { then: 'skip' } },
    );
    const options = { processors: [processor.type], iteration: { shutdown: { deadlineMs: 50 } } };
    const app = await queues.start(options);
    const job = await app.queue().add('story', { letters: 'abc' });
    await gate.reached;
    await app.close();
    const reader = await queues.start({ iteration: { workers: false } });
    expect(await reader.iterations.deadLetters(job)).toEqual([]);
    const next = await queues.start(options);
    expect((await next.settled(job)).returnvalue).toEqual({ processed: 2, skipped: 1 });
    gate.open();
    expect(await next.iterations.deadLetters(job)).toMatchObject([{ cursor: 1 }]);
    expect(processor.story.filter((event) => event.length === 1).join('')).toBe('ac');
  });

  it('R24: a run that ends while a batch is being halved resumes after the finished parts', async () => {
    const parts: string[] = [];
    const hold = new Hold('ef');
    const processor = storyProcessor(
      {
        build: ({ cursor }, enumerators) => {
          const { source, cursor: after } = sourceOf(enumerators.array([...'abcdefgh'], { cursor }));
          return new SourceEnumerator(batchesOf(source, 8), after);
        },
        each: async (batch, context) => {
          const letters = (batch as unknown as string[]).join('');
          parts.push(letters);
          if (/[cg]/.test(letters)) throw new Error(`bad ${letters}`);
          await hold.each(letters, context);
        },
      },
      { itemFailure: { then: 'skip' } },
    );
    const first = await queues.start({ processors: [processor.type] });
    const job = await first.queue().add('story', {});
    await hold.reached;
    await first.close();
    expect(parts).toEqual(['abcdefgh', 'abcd', 'ab', 'cd', 'c', 'd', 'efgh', 'ef']);

    const second = await queues.start({ processors: [processor.type] });
    const { returnvalue } = await second.settled(job);
    expect(parts.slice(8)).toEqual(['gh', 'g', 'h']);
    expect(returnvalue).toEqual({ processed: 1, skipped: 2 });
    expect((await second.iterations.deadLetters(job)).map(({ before, cursor }) => [before, cursor])).toEqual([
      [1, 2],
      [5, 6],
    ]);
  });

  it('R21: a run that holds its lock repeats the write of a dead letter until it succeeds', async () => {
    const { put } = DeadLetterQueue.prototype;
    let refused = 2;
    vi.spyOn(DeadLetterQueue.prototype, 'put').mockImplementation(async function (this: DeadLetterQueue, ...args) {
      if (refused-- > 0) throw new Error('OOM command not allowed');
      await put.apply(this, args);
    });
    const processor = storyProcessor(
      {
        each: async (letter) => {
          if (letter === 'b') throw new Error('bad b');
        },
      },
      { itemFailure: { then: 'skip' } },
    );
    const app = await queues.start({ processors: [processor.type] });
    const job = await app.settled(await app.queue().add('story', { letters: 'abc' }));
    expect(job.returnvalue).toEqual({ processed: 2, skipped: 1 });
    expect(await app.iterations.deadLetters(job)).toHaveLength(1);
    expect(queues.logs.filter((line) => line.includes('its dead letter could not be written'))).toHaveLength(2);
  });

  it('R18, R19: a run that waits for a retry saves its progress and marks no item as being handled', async () => {
    const gate = new Gate();
    const tries: string[] = [];
    const processor = storyProcessor(
      {
        each: async (letter) => {
          tries.push(letter);
          if (letter === 'b') await (tries.length === 2 ? gate.wait() : Promise.reject(new Error('bad b')));
        },
      },
      { itemFailure: { attempts: 2, backoffMs: () => 600_000 }, checkpoint: { everyMs: 600_000 } },
    );
    const options = { processors: [processor.type], iteration: { worker: WORKER } };
    const frozen = await queues.start(options);
    const job = await frozen.queue().add('story', { letters: 'abc' });
    await gate.reached;
    const [zombie] = workers as [Worker];
    await zombie.pause(true);
    await endLocks(queues);
    const careful = await queues.start(options);
    const saved = await until('the next run waits', async () => {
      const { progress } = (await careful.queue().getJob(job.id as string)) as { progress: Checkpoint };
      return tries.join('') === 'abab' && progress.running === 'careful' && progress;
    });
    expect(saved).toMatchObject({ cursor: 0, processed: 1, run: 2 });
    gate.open();
  });

  it('R20: a run that loses its lock before a skip writes no letter and leaves the item to the next run', async () => {
    const gate = new Gate();
    const tries: string[] = [];
    const processor = storyProcessor(
      { each: async () => {} },
      { itemFailure: { then: 'skip', attempts: 5, backoffMs: 0 } },
    );
    processor.script.each = async (letter) => {
      tries.push(letter);
      if (tries.length !== 2) return;
      await gate.wait();
      throw new Error('bad b');
    };
    const options = { processors: [processor.type], iteration: { worker: WORKER } };
    const frozen = await queues.start(options);
    const job = await frozen.queue().add('story', { letters: 'abc' });
    await gate.reached;
    const [zombie] = workers as [Worker];
    await zombie.pause(true);
    await endLocks(queues);
    const other = await queues.start(options);
    expect((await other.settled(job)).returnvalue).toEqual({ processed: 3, skipped: 0 });
    gate.open();
    await until('the frozen worker has noticed', () => queues.logs.some((line) => line.includes('lost its lock')));
    expect(tries.slice(-2).join('')).toBe('bc');
    expect(await other.iterations.deadLetters(job)).toEqual([]);
  });
});
