import { appendFileSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { runInNewContext } from 'node:vm';
import type { Job } from 'bullmq';
import { describe, expect, it } from 'vitest';
import { checkJson } from '../../lib/cursor.js';
import { keysetPages } from '../../lib/enumerators/contract/index.js';
import type { ProcessorOptions } from '../../lib/index.js';
import { BACKENDS, describeQueues } from '../support/app.js';
import { Hold, storyProcessor } from '../support/story.js';

class Custom {
  at = 1;
}

describe('cursors', () => {
  it.each([
    ['a Date', { at: new Date(0) }, 'cursor.at is a Date'],
    ['a bigint', [1n], 'cursor[0] is 1n'],
    ['NaN', { deep: [Number.NaN] }, 'cursor.deep[0] is NaN'],
    ['Infinity', Infinity, 'cursor is Infinity'],
    ['-0', -0, 'cursor is -0'],
    ['undefined', { id: undefined }, 'cursor.id is undefined'],
    ['a Map', new Map(), 'cursor is a Map'],
    ['a class instance', { row: new Custom() }, 'cursor.row is a Custom'],
    ['a function', () => 1, 'cursor is a function'],
    ['a symbol', Symbol('x'), 'cursor is Symbol(x)'],
    ['an object with toJSON', { toJSON: () => 1 }, 'cursor is an Object'],
    ['a hole in an array', new Array(1), 'cursor[0] is undefined'],
  ])('R8: a cursor that contains %s is refused with an error that names the value', (_, cursor, message) => {
    expect(() => checkJson(cursor)).toThrow(message);
  });

  it('R8: a cursor with a cycle is refused', () => {
    const cursor: { self?: unknown } = {};
    cursor.self = cursor;
    expect(() => checkJson(cursor)).toThrow('cursor.self is an object that holds itself');
  });

  it.each([[null], [0], ['é'], [[1, 'a', null]], [{ a: { b: [true] } }]])('R8: %j is a valid cursor', (cursor) => {
    expect(checkJson(cursor)).toBe(Buffer.byteLength(JSON.stringify(cursor)));
  });

  it('R8: an object of another realm is a valid cursor, as structuredClone returns in Jest', () => {
    expect(() => checkJson(runInNewContext('({ a: [{ b: 1 }] })'))).not.toThrow();
  });

  it('R8: a cursor over 16 KB is refused', () => {
    expect(() => checkJson('x'.repeat(16_384))).toThrow(
      'The cursor is 16386 bytes of JSON; at most 16384 can be saved',
    );
  });

  it('R8: a keyset page that does not advance is refused', async () => {
    const pages = keysetPages(
      { name: 'users by age', columns: 1, pageSize: 1, fetch: async () => ({ rows: ['x'], keys: [[7]] }) },
      { after: null, until: null },
    );
    await pages.next();
    await expect(pages.next()).rejects.toThrow('users by age: a page after [7] came back with that same key');
  });
});

describeQueues('cursors of a job', BACKENDS, (queues) => {
  it('R8: the cursor of the first item of each run is checked before the item is handled', async () => {
    const { type, story } = storyProcessor({ build: () => [['a', new Date(0)]] });
    const app = await queues.start({ processors: [type] });
    const job = await app.settled(await app.queue().add('story', {}));

    expect(job.failedReason).toContain('cursor is a Date');
    expect(story).toEqual(['start', expect.stringContaining('fail cursor is a Date'), 'end fail']);
  });

  it('R8: the cursor is checked at every checkpoint; the job keeps its last valid one', async () => {
    const build = () => [
      ['a', 1],
      ['b', 2],
      ['c', Number.NaN],
    ];
    const { type, story } = storyProcessor({ build }, { checkpoint: { everyMs: 600_000 } });
    const app = await queues.start({ processors: [type] });
    const job = await app.settled(await app.queue().add('story', {}));

    expect(job.failedReason).toContain('cursor is NaN');
    expect(story.slice(0, 4)).toEqual(['start', 'a', 'b', 'c']);
    expect(await app.iterations.status(job)).toMatchObject({ state: 'failed', cursor: null, processed: 0 });
  });

  it('R8: a cursor over 1 KB logs one warning per run', async () => {
    const { type } = storyProcessor({ build: () => ['a', 'b'].map((letter) => [letter, letter.repeat(2_000)]) });
    const app = await queues.start({ processors: [type] });
    await app.settled(await app.queue().add('story', {}));

    expect(queues.logs.filter((line) => line.includes('its cursors are large (2002 bytes)')).length).toBe(1);
  });

  it('a state that JSON would change is refused', async () => {
    const { type } = storyProcessor({
      each: (_letter, context) => {
        context.state = new Map() as never;
      },
    });
    const app = await queues.start({ processors: [type] });
    const job = await app.settled(await app.queue().add('story', {}));
    expect(job.failedReason).toContain('state is a Map, which JSON does not give back as it was');
  });

  it('a state mutated to a value that JSON would change is refused; the last valid state is kept', async () => {
    const { type, story } = storyProcessor(
      {
        each: (letter, context) => {
          if (letter === 'a') context.state = { seen: 1 };
          else (context.state as { when?: unknown }).when = new Date();
        },
      },
      { checkpoint: { everyItems: 1 } },
    );
    const app = await queues.start({ processors: [type] });
    const job = await app.settled(await app.queue().add('story', {}));
    expect(job.failedReason).toContain('state.when is a Date');
    expect(story.at(-1)).toBe('end fail');
    expect(job.progress).toMatchObject({ cursor: 0, processed: 1, failures: 1, state: { seen: 1 } });
  });

  it('R8: text that PostgreSQL cannot store in JSON is refused; the job keeps its last valid cursor', async () => {
    const build = () => [
      ['a', 'x'],
      ['b', 'y\u0000'],
    ];
    const { type, story } = storyProcessor({ build }, { checkpoint: { everyMs: 600_000 } });
    const app = await queues.start({ processors: [type] });
    const job = await app.settled(await app.queue().add('story', {}));
    if (queues.backend === 'redis') return expect(await job.getState()).toBe('completed');
    expect(job.failedReason).toContain('text that PostgreSQL cannot keep in JSON: the character U+0000');
    expect(story).toEqual(['start', 'a', 'b', expect.stringContaining('fail The cursor or state'), 'end fail']);
    expect(await app.iterations.status(job)).toMatchObject({ state: 'failed', cursor: null, processed: 0 });
  });

  it('a job starts after the cursor passed to enqueue', async () => {
    const { type, story } = storyProcessor();
    const app = await queues.start({ processors: [type] });
    const job = await app.iterations.enqueue(type, { letters: 'abcde' }, { cursor: 2 });
    await app.settled(job);
    expect(story).toEqual(['start', 'd', 'e', 'complete', 'end complete']);
  });

  it.each([
    1_234_567_890_123_456,
    -0.123_456_789_012_345_6,
    'a "text" with \\ and \u2028',
    [[]],
    [[[], {}, null]],
    { token: null, at: [1_700_000_000_123_456, null] },
  ])('R8: enqueue passes its cursor to the builder unchanged: %j', async (cursor) => {
    const built: unknown[] = [];
    const { type } = storyProcessor({
      build: (context, enumerators) => {
        built.push(context.cursor);
        return enumerators.array([], { cursor: null });
      },
    });
    const app = await queues.start({ processors: [type] });
    await app.settled(await app.iterations.enqueue(type, {}, { cursor }));
    expect(built).toEqual([cursor]);
  });

  it('a job that release 0.1.0 enqueued with a cursor starts after it', async () => {
    const { type, story } = storyProcessor();
    const app = await queues.start({ processors: [type] });
    await app.settled(await app.queue().add('story', { letters: 'abcde' }, { iterationCursor: 2 } as never));
    expect(story).toEqual(['start', 'd', 'e', 'complete', 'end complete']);
  });

  it('a job whose progress is not a checkpoint starts from the beginning, with a warning', async () => {
    const { type, story } = storyProcessor();
    const producer = await queues.start({ iteration: { workers: false } });
    const job = await producer.queue().add('story', { letters: 'ab' });
    await job.updateProgress({ step: 3 });
    const app = await queues.start({ processors: [type] });
    await app.settled(job);

    expect(story).toEqual(['start', 'a', 'b', 'complete', 'end complete']);
    expect(queues.logs.filter((line) => line.includes('its progress {"step":3} is not a checkpoint')).length).toBe(1);
  });

  /** Interrupts a job of version 1 at `b`, and resumes it with a processor of these options. */
  async function resumedBy(options: Partial<ProcessorOptions>): Promise<{ job: Job; story: string[] }> {
    const hold = new Hold('b');
    const first = storyProcessor({ each: hold.each }, { version: 1 });
    const app = await queues.start({ processors: [first.type] });
    const job = await app.queue().add('story', { letters: 'abcde' });
    await hold.reached;
    await app.close();
    const second = storyProcessor({}, options);
    const next = await queues.start({ processors: [second.type] });
    return { job: await next.settled(job), story: second.story };
  }

  it('R10: a job of the same version resumes', async () => {
    expect((await resumedBy({ version: 1 })).story).toEqual(['resume', 'c', 'd', 'e', 'complete', 'end complete']);
  });

  it('R10: by default, a job of another version fails', async () => {
    const { job, story } = await resumedBy({ version: 2 });
    expect(job.failedReason).toContain("Story has version 2, and the job's cursor was made by version 1");
    expect(story).toEqual([expect.stringContaining('fail Story has version 2'), 'end fail']);
  });

  it("R10: with onChange 'restart', a job of another version starts from the beginning", async () => {
    const { story } = await resumedBy({ version: 2, onChange: 'restart' });
    expect(story).toEqual(['resume', 'a', 'b', 'c', 'd', 'e', 'complete', 'end complete']);
  });

  it('R10: an onChange function returns the cursor to resume after', async () => {
    const seen: unknown[] = [];
    const { story } = await resumedBy({
      version: 2,
      onChange: (old) => {
        seen.push(old);
        return (old.cursor as number) + 1;
      },
    });
    expect(seen).toEqual([{ version: 1, cursor: 1 }]);
    expect(story).toEqual(['resume', 'd', 'e', 'complete', 'end complete']);
  });

  describe('cursors of a CSV file', () => {
    async function changedBy(change: (file: string) => void, options: Partial<ProcessorOptions>) {
      const file = join(mkdtempSync(join(tmpdir(), 'iteration-test-')), 'letters.csv');
      writeFileSync(file, 'letter\na\nb\nc\n');
      const hold = new Hold('b');
      const { type, story, script } = storyProcessor(
        {
          build: ({ cursor }, { csv }) => csv.rows<{ letter: string }>(file, { cursor }),
          each: (row, context) => {
            const { letter } = row as unknown as { letter: string };
            return hold.each(letter, context);
          },
        },
        options,
      );
      const app = await queues.start({ processors: [type] });
      const job = await app.queue().add('story', {});
      await hold.reached;
      await app.close();
      change(file);
      script.each = undefined;
      story.length = 0;
      const next = await queues.start({ processors: [type] });
      const done = await next.settled(job);
      return {
        done,
        letters: story.map((row) => (typeof row === 'string' ? row : (row as { letter: string }).letter)),
      };
    }

    it('R10: a job resumes after rows were appended to its CSV file', async () => {
      const { letters } = await changedBy((file) => appendFileSync(file, 'd\n'), {});
      expect(letters).toEqual(['resume', 'c', 'd', 'complete', 'end complete']);
    });

    it('R10: a job fails when its CSV file has changed', async () => {
      const { done } = await changedBy((file) => writeFileSync(file, 'letter\nx\ny\nz\n'), {});
      expect(await done.getState()).toBe('failed');
      expect(done.failedReason).toContain('letters.csv');
    });

    it("R10: with onChange 'restart', a changed CSV file is read from the beginning", async () => {
      const { letters } = await changedBy((file) => writeFileSync(file, 'letter\nx\ny\n'), { onChange: 'restart' });
      expect(letters).toEqual(['resume', 'x', 'y', 'complete', 'end complete']);
    });

    it("R10: with onChange 'restart', a CSV function that ignores start fails the job instead of restarting", async () => {
      const rows = Array.from({ length: 2_000 }, (_, row) => `row ${row}\n`);
      const seen: string[] = [];
      const { type } = storyProcessor(
        {
          build: ({ cursor }, { csv }) =>
            csv.rows(() => Readable.from([Buffer.from(rows.join(''))]), { cursor, columns: false }),
          each: (row, { retryIn, run }) => {
            seen.push(...(row as unknown as string[]));
            if (run === 1 && seen.length === 1_500) retryIn(1);
          },
        },
        { onChange: 'restart' },
      );
      const app = await queues.start({ processors: [type] });
      const { failedReason } = await app.settled(await app.queue().add('story', {}));
      expect(failedReason).toContain('but it started at byte 0');
      expect(seen.length).toBe(1_500);
    });
  });
});
