import type { Worker } from 'bullmq';
import { afterEach, expect, it, vi } from 'vitest';
import type { Checkpoint } from '../../lib/checkpoint/checkpoint.js';
import { PostgresCheckpointStore } from '../../lib/checkpoint/checkpoint.postgres.js';
import { RedisCheckpointStore } from '../../lib/checkpoint/checkpoint.redis.js';
import type { CheckpointStore } from '../../lib/checkpoint/checkpoint.store.js';
import { DeadLetterQueue } from '../../lib/dead-letters/dead-letter.queue.js';
import { batchesOf, SourceEnumerator, sourceOf } from '../../lib/enumerators/contract/index.js';
import { BOTH, describeQueues } from '../support/app.js';
import { endLocks } from '../support/dead-locks.js';
import { Hold, storyProcessor } from '../support/story.js';
import { Gate, until } from '../support/until.js';
import { recordWorkers } from '../support/workers.js';

/** Where a worker is killed, or freezes, while it skips the letter b. */
const STEPS = [
  'before the checkpoint that carries the letter',
  'after the checkpoint that carries the letter',
  'before the letter is written',
  'after the letter is written',
  'before the checkpoint without the letter',
  'after the checkpoint without the letter',
] as const;
type Step = (typeof STEPS)[number];

/** The test ends its locks; a renewal then soon says that they are lost. */
const WORKER = { lockDuration: 60_000, lockRenewTime: 200, stalledInterval: 100 };

describeQueues('a worker that ends while it skips an item', BOTH, (queues) => {
  const workers = recordWorkers();
  afterEach(() => {
    vi.restoreAllMocks();
  });

  /** Holds whoever comes first to the step. */
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
          ? at(`${when} the checkpoint that carries the letter`)
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

  it.each(STEPS)(
    'R24: %s: there is exactly one letter, its item is not handled again and none is lost',
    async (step) => {
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
        { itemFailure: { then: 'skip' } },
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
      await until('the zombie has noticed', () => queues.logs.some((line) => line.includes('lost its lock')));
      const isSaved = step !== 'before the checkpoint that carries the letter'; // else neither is that a is finished
      expect(tries.join('')).toBe(isSaved ? 'abcd' : 'ababcd');
      expect(done.returnvalue).toEqual({ processed: 3, skipped: 1 });
      expect(await other.iterations.status(job)).toMatchObject({ skipped: 1, processed: 3, state: 'completed' });
      const letters = await other.iterations.deadLetters(job);
      expect(letters).toMatchObject([{ before: 0, cursor: 1, tries: 1, error: { message: 'bad b' } }]);
      const { letter } = ((await other.queue().getJob(job.id as string)) as { progress: Checkpoint }).progress;
      expect(letter).toBeUndefined();
      expect(story.filter((event) => event === 'complete' || event === 'end complete')).toHaveLength(2);
      expect(story.filter((event) => event.startsWith('skip')).length).toBeLessThanOrEqual(1);
    },
  );

  it('R24: a shutdown whose deadline passes while the letter is written leaves it to the next run', async () => {
    const gate = holdAt('before the letter is written');
    const told = storyProcessor(
      {
        each: async (letter) => {
          if (letter === 'b') throw new Error('bad b');
        },
      },
      { itemFailure: { then: 'skip' } },
    );
    const options = { processors: [told.type], iteration: { shutdown: { deadlineMs: 50 } } };
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
    expect(told.story.filter((event) => event.length === 1).join('')).toBe('ac');
  });

  it('R24: a run that ends while a batch is halved goes on behind the parts that are finished', async () => {
    const parts: string[] = [];
    const hold = new Hold('ef');
    const told = storyProcessor(
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
    const first = await queues.start({ processors: [told.type] });
    const job = await first.queue().add('story', {});
    await hold.reached;
    await first.close();
    expect(parts).toEqual(['abcdefgh', 'abcd', 'ab', 'cd', 'c', 'd', 'efgh', 'ef']);

    const second = await queues.start({ processors: [told.type] });
    const { returnvalue } = await second.settled(job);
    expect(parts.slice(8)).toEqual(['gh', 'g', 'h']);
    expect(returnvalue).toEqual({ processed: 1, skipped: 2 });
    expect((await second.iterations.deadLetters(job)).map(({ before, cursor }) => [before, cursor])).toEqual([
      [1, 2],
      [5, 6],
    ]);
  });

  it('R21: a dead letter that cannot be written for a while is written again, while the lock is held', async () => {
    const { put } = DeadLetterQueue.prototype;
    let refused = 2;
    vi.spyOn(DeadLetterQueue.prototype, 'put').mockImplementation(async function (this: DeadLetterQueue, ...args) {
      if (refused-- > 0) throw new Error('OOM command not allowed');
      await put.apply(this, args);
    });
    const told = storyProcessor(
      {
        each: async (letter) => {
          if (letter === 'b') throw new Error('bad b');
        },
      },
      { itemFailure: { then: 'skip' } },
    );
    const app = await queues.start({ processors: [told.type] });
    const job = await app.settled(await app.queue().add('story', { letters: 'abc' }));
    expect(job.returnvalue).toEqual({ processed: 2, skipped: 1 });
    expect(await app.iterations.deadLetters(job)).toHaveLength(1);
    expect(queues.logs.filter((line) => line.includes('its dead letter could not be written'))).toHaveLength(2);
  });

  it('R18, R19: while the next try is waited for, all is saved, and a process that ends then is not put down to the item', async () => {
    const gate = new Gate();
    const tries: string[] = [];
    const told = storyProcessor(
      {
        each: async (letter) => {
          tries.push(letter);
          if (letter === 'b') await (tries.length === 2 ? gate.wait() : Promise.reject(new Error('bad b')));
        },
      },
      { itemFailure: { attempts: 2, backoffMs: () => 600_000 } },
    );
    const options = { processors: [told.type], iteration: { worker: WORKER } };
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

  it('R20: a lock that is lost before a skip leaves the item to the next run: no letter, no skip', async () => {
    const gate = new Gate();
    const tries: string[] = [];
    const told = storyProcessor({ each: async () => {} }, { itemFailure: { then: 'skip', attempts: 5, backoffMs: 0 } });
    told.script.each = async (letter) => {
      tries.push(letter);
      if (tries.length !== 2) return;
      await gate.wait();
      throw new Error('bad b');
    };
    const options = { processors: [told.type], iteration: { worker: WORKER } };
    const frozen = await queues.start(options);
    const job = await frozen.queue().add('story', { letters: 'abc' });
    await gate.reached;
    const [zombie] = workers as [Worker];
    await zombie.pause(true);
    await endLocks(queues);
    const other = await queues.start(options);
    expect((await other.settled(job)).returnvalue).toEqual({ processed: 3, skipped: 0 });
    gate.open();
    await until('the zombie has noticed', () => queues.logs.some((line) => line.includes('lost its lock')));
    expect(tries.slice(-2).join('')).toBe('bc');
    expect(await other.iterations.deadLetters(job)).toEqual([]);
  });
});
