import type { Cursor } from '../../lib/cursor.js';
import type { At, EnumeratorLike } from '../../lib/enumerators/contract/index.js';
import type { EnumeratorBuilder } from '../../lib/index.js';

/** Kinds of sources over a list. The index of an item in the list names its position. */
export const KINDS = {
  array: (build, items, at) => build.array(items, at),
  generator: (_, items, at) => generate(items, at),
  'async generator': (build, items, at) => build.from(generateLater(items, at)),
  keyset: (build, items, { cursor }) => {
    const rows = items.map((item, id) => ({ id, item }));
    const enumerator = build.keyset({
      cursor,
      pageSize: 2,
      key: ({ id }: { id: number }) => id,
      fetch: async (after, limit) => rows.filter(({ id }) => id > (after ?? -1)).slice(0, limit),
    });
    return mapped(enumerator, (row) => (row as (typeof rows)[number]).item);
  },
  pages: (build, items, { cursor }) =>
    build.pages<string, number>({
      cursor,
      fetch: async (token) => {
        const start = token ?? 0;
        return { items: items.slice(start, start + 2), next: start + 2 < items.length ? start + 2 : null };
      },
    }),
  take: (build, items, at) => build.take(build.array([...items, 'one too many', 'two'], at), items.length),
  'take of a generator': (build, items, at) => build.take(generate([...items, 'one too many'], at), items.length),
  throttle: (build, items, at) => build.throttle(build.array(items, at), { when: () => false, retryInMs: 1 }),
  nested: (build, items, at) =>
    build.nested(
      [
        ({ cursor }: At) => build.array(items, { cursor }),
        (item: string, { cursor }: At) => build.array([item], { cursor }),
      ],
      at,
    ),
} satisfies Record<string, (build: EnumeratorBuilder, items: readonly string[], at: At) => EnumeratorLike<string>>;

export type Kind = keyof typeof KINDS;

function* generate(items: readonly string[], { cursor }: At): Generator<readonly [string, number]> {
  for (let index = ((cursor as number | null) ?? -1) + 1; index < items.length; index++)
    yield [items[index] as string, index];
}

async function* generateLater(items: readonly string[], at: At): AsyncGenerator<readonly [string, number]> {
  yield* generate(items, at);
}

async function* mapped<From>(
  enumerator: AsyncIterable<readonly [From, Cursor]>,
  map: (item: From) => string,
): AsyncGenerator<readonly [string, Cursor]> {
  for await (const [item, cursor] of enumerator) yield [map(item), cursor];
}
