import fc from 'fast-check';
import { describe } from 'vitest';
import type { At, EnumeratorLike } from '../../lib/enumerators/contract/index.js';
import { EnumeratorBuilder } from '../../lib/enumerators/enumerator.builder.js';
import { KINDS, type Kind } from '../support/levels.js';
import { itResumesExactly, type Model } from '../support/resume-properties.js';

const build = new EnumeratorBuilder();
const stops = fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 6 });
const kind = fc.constantFrom(...(Object.keys(KINDS) as Kind[]));

/** A sequence that does not change. */
function sequence(items: readonly unknown[]): Model {
  let finished = 0;
  return {
    rest: () => items.slice(finished),
    finish: (records) => {
      finished += records;
    },
  };
}

describe('sources of one level', () => {
  const items = fc.array(fc.string(), { maxLength: 12 });
  // A generator does not know how many items precede its cursor; a job does.
  for (const source of (Object.keys(KINDS) as Kind[]).filter((name) => name !== 'take of a generator')) {
    itResumesExactly(source, {
      source,
      cases: fc.record({ items, stops }),
      begin: async (generated) => ({
        model: sequence(generated.items),
        build: (at) => build.from(KINDS[source](build, generated.items, at)),
        stops: generated.stops,
      }),
    });
  }

  itResumesExactly('times', {
    source: 'times',
    cases: fc.record({ count: fc.integer({ min: 0, max: 12 }), stops }),
    begin: async ({ count, stops }) => ({
      model: sequence(Array.from({ length: count }, (_, index) => index)),
      build: (at) => build.times(count, at),
      stops,
    }),
  });

  itResumesExactly('once', {
    source: 'once',
    cases: fc.record({ stops }),
    begin: async ({ stops }) => ({ model: sequence([undefined]), build: (at) => build.once(at), stops }),
  });
});

describe('nested', () => {
  /** A tree of names; the hash of a name picks its number of children. */
  class Tree {
    constructor(
      private readonly counts: readonly number[],
      private readonly kinds: readonly Kind[],
    ) {}

    children(name: string): readonly string[] {
      const hash = [...name].reduce((sum, letter) => sum * 7 + letter.charCodeAt(0), 1);
      const count = this.counts[hash % this.counts.length] as number;
      return Array.from({ length: count }, (_, index) => `${name}/${index}`);
    }

    leaves(name = '', depth = this.kinds.length): readonly string[] {
      return depth === 0 ? [name] : this.children(name).flatMap((child) => this.leaves(child, depth - 1));
    }

    levels(): ((...args: never[]) => EnumeratorLike<string>)[] {
      return this.kinds.map((kind) => (...args: unknown[]) => {
        const at = args.at(-1) as At;
        return KINDS[kind](build, this.children((args.at(-2) as string | undefined) ?? ''), at);
      });
    }
  }

  itResumesExactly('nested of two to four levels of any kind', {
    source: 'nested',
    cases: fc.record({
      counts: fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 9 }),
      kinds: fc.array(kind, { minLength: 2, maxLength: 4 }),
      stops,
    }),
    begin: async ({ counts, kinds, stops }) => {
      const tree = new Tree(counts, kinds);
      return { model: sequence(tree.leaves()), build: (at) => build.nested<string>(tree.levels(), at), stops };
    },
  });

  itChanges('keyset');
  itChanges('generator');

  /** R9, with outer rows that are inserted, deleted and emptied between the runs. */
  function itChanges(levels: 'keyset' | 'generator'): void {
    const id = fc.integer({ min: 0, max: 9 });
    const pair = fc.tuple(id, id);
    const change = fc.record({
      insert: fc.array(pair, { maxLength: 4 }),
      remove: fc.array(id, { maxLength: 2 }),
      empty: fc.array(id, { maxLength: 2 }),
    });
    itResumesExactly(`R9: nested of ${levels}s whose rows change`, {
      source: `nested ${levels}`,
      cases: fc.record({
        rows: fc.array(pair, { maxLength: 25 }),
        runs: fc.array(fc.record({ stop: fc.integer({ min: 0, max: 5 }), change }), { maxLength: 5 }),
      }),
      begin: async ({ rows, runs }) => {
        const table = new Shops(rows);
        return {
          model: {
            rest: () => table.rest(),
            finish: (records) => table.finish(records),
            change: async (run) => {
              const next = runs[run]?.change;
              if (next) table.change(next);
            },
          },
          build: (at) =>
            build.nested(
              [
                ({ cursor }) => listed(levels, table.outer(), cursor),
                (shop: number, { cursor }) => mappedTo(shop, listed(levels, table.inner(shop), cursor)),
              ],
              at,
            ),
          stops: runs.map(({ stop }) => stop),
        };
      },
    });
  }

  /** Shops and their products, and the position of the last finished one. */
  class Shops {
    readonly #shops = new Map<number, Set<number>>();
    #position: readonly [number, number] | undefined;

    constructor(rows: readonly (readonly [number, number])[]) {
      this.change({ insert: rows, remove: [], empty: [] });
    }

    change({
      insert,
      remove,
      empty,
    }: {
      insert: readonly (readonly [number, number])[];
      remove: readonly number[];
      empty: readonly number[];
    }): void {
      for (const shop of remove) this.#shops.delete(shop);
      for (const shop of empty) this.#shops.get(shop)?.clear();
      for (const [shop, product] of insert) this.#shops.set(shop, (this.#shops.get(shop) ?? new Set()).add(product));
    }

    outer(): readonly number[] {
      return [...this.#shops.keys()].sort((a, b) => a - b);
    }

    inner(shop: number): readonly number[] {
      return [...(this.#shops.get(shop) ?? [])].sort((a, b) => a - b);
    }

    rest(): readonly string[] {
      const [atShop, atProduct] = this.#position ?? [-1, -1];
      return this.outer().flatMap((shop) =>
        this.inner(shop)
          .filter((product) => shop > atShop || (shop === atShop && product > atProduct))
          .map((product) => `${shop} ${product}`),
      );
    }

    finish(records: number): void {
      const last = this.rest()[records - 1];
      if (last) this.#position = last.split(' ').map(Number) as [number, number];
    }
  }

  function listed(
    kind: 'keyset' | 'generator',
    ids: readonly number[],
    cursor: unknown,
  ): EnumeratorLike<number, number> {
    const idsAfter = (after: unknown) => ids.filter((id) => id > ((after as number | null) ?? -1));
    if (kind === 'generator') return idsAfter(cursor).map((id) => [id, id] as const);
    return build.keyset({
      cursor: cursor as number | null,
      pageSize: 2,
      key: (id: number) => id,
      fetch: async (after, limit) => idsAfter(after).slice(0, limit),
    });
  }

  async function* mappedTo(
    shop: number,
    products: EnumeratorLike<number, number>,
  ): AsyncGenerator<readonly [string, number]> {
    for await (const [product, cursor] of products) yield [`${shop} ${product}`, cursor];
  }
});
