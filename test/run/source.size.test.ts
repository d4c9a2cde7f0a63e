import { expect, it } from 'vitest';
import { BACKENDS, describeQueues } from '../support/app.js';
import { storyProcessor } from '../support/story.js';
import { until } from '../support/until.js';

describeQueues('warnings about the size of a source', BACKENDS, (queues) => {
  const warnings = () => queues.logs.filter((line) => line.startsWith('warn'));

  /** A table of letters whose source returns only the rows for which `isSeen` is true. */
  const table = (rows: string[], isSeen: (row: string) => boolean, each?: () => void) =>
    storyProcessor({
      each,
      build: ({ cursor }, enumerators) =>
        enumerators.keyset({
          cursor,
          key: (row: string) => row,
          pageSize: 1,
          fetch: async (after) => rows.filter((row) => isSeen(row) && (after === null || row > after)).slice(0, 1),
          size: async () => rows.length,
        }),
    });

  it('a job warns at its end when it handled clearly fewer items than its source counted', async () => {
    const { type, story } = table([...'abcde'], (row) => row < 'd');
    const app = await queues.start({ processors: [type] });
    await app.settled(await app.queue().add('story', {}));

    expect(story).toEqual(['start', 'a', 'b', 'c', 'complete', 'end complete']);
    expect(warnings()).toEqual([expect.stringContaining('counted 5, handled 3')]);
  });

  it('a job does not warn when the remaining rows were deleted while it ran', async () => {
    const rows = [...'abcde'];
    const { type, story } = table(
      rows,
      () => true,
      () => void rows.splice(1),
    );
    const app = await queues.start({ processors: [type] });
    await app.settled(await app.queue().add('story', {}));

    expect(story.slice(-2)).toEqual(['complete', 'end complete']);
    expect(story).not.toContain('c');
    expect(warnings()).toEqual([]);
  });

  it('a job that starts at a cursor does not warn about its size', async () => {
    const { type, story } = table([...'abcde'], () => true);
    const app = await queues.start({ processors: [type] });
    await app.settled(await app.iterations.enqueue(type, {}, { cursor: 'c' }));

    expect(story).toEqual(['start', 'd', 'e', 'complete', 'end complete']);
    expect(warnings()).toEqual([]);
  });

  const numbers = (rows: number[], each: (row: number) => void) =>
    storyProcessor(
      {
        build: ({ cursor }, enumerators) =>
          enumerators.keyset({
            cursor,
            pageSize: 1,
            key: (row: number) => row,
            fetch: async (after) => rows.filter((row) => after === null || row > after).slice(0, 1),
            size: async () => rows.length,
          }),
        each: (row) => each(Number(row)),
      },
      { checkpoint: { everyItems: 1 } },
    );

  it('a job warns once that it may never end when its handler moves each row ahead', async () => {
    const rows = [1, 2, 3];
    const { type } = numbers(rows, (row) => {
      rows.push(Math.max(...rows) + 1);
      rows.splice(rows.indexOf(row), 1);
    });
    const app = await queues.start({ processors: [type] });
    await app.queue().add('story', {});
    await until('the log says that the job may never end', async () => warnings().length > 0);
    await app.close();

    expect(warnings()).toEqual([
      expect.stringMatching(/it has handled \d+ items, and its source counted 3\..*may never end/),
    ]);
  });

  it('a job does not warn when its source grows after the first count', async () => {
    const rows = [1, 2, 3];
    const { type } = numbers(rows, () => {
      if (rows.length < 60) rows.push(rows.length + 1);
    });
    const app = await queues.start({ processors: [type] });
    const { returnvalue } = await app.settled(await app.queue().add('story', {}));

    expect(returnvalue).toEqual({ processed: 60, skipped: 0 });
    expect(warnings()).toEqual([]);
  });
});
