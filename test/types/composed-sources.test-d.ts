/** Compiled by `npm run types`, never executed: the types of sources made of functions or of other sources. */
import {
  type BuildContext,
  BuildEnumerator,
  EachIteration,
  type Enumerator,
  type EnumeratorBuilder,
  type ItemOf,
  type IterationContext,
  IterativeProcessor,
} from '../../lib/index.js';

type Equal<One, Other> = (<T>() => T extends One ? 1 : 2) extends <T>() => T extends Other ? 1 : 2 ? true : false;
declare function same<_Verdict extends true>(): void;
declare const enumerators: EnumeratorBuilder;

interface Order {
  readonly id: string;
  readonly at: string;
}
declare function ordersAfter(after: readonly [string, string] | null, limit: number): Promise<Order[]>;
declare function productsOf(shop: { id: number }): Promise<{ items: { sku: string }[]; next: number | null }>;

@IterativeProcessor('keyset')
export class FromKeyset {
  @BuildEnumerator()
  build({ cursor }: BuildContext) {
    return enumerators.keyset({
      cursor,
      fetch: (after, limit) => ordersAfter(after, limit),
      key: ({ at, id }: Order) => [at, id],
    });
  }

  @EachIteration()
  each(order: Order, _context: IterationContext) {
    return order.at;
  }
}
same<Equal<ReturnType<FromKeyset['build']>, Enumerator<Order, [string, string]>>>();
same<Equal<ItemOf<FromKeyset>, Order>>();

@IterativeProcessor('nested')
export class FromNested {
  @BuildEnumerator()
  build({ cursor }: BuildContext) {
    const nested = enumerators.nested(
      [
        (at) => enumerators.array([{ id: 1 }], at),
        (shop, { cursor }) => enumerators.pages({ cursor, fetch: (_token: number | null) => productsOf(shop) }),
        (shop, product, at) => enumerators.array([{ ...shop, ...product }], at),
      ],
      { cursor },
    );
    return enumerators.throttle(enumerators.take(nested, 10), { when: async () => false, retryInMs: 1_000 });
  }

  @EachIteration()
  each(item: { id: number; sku: string }) {
    return item.sku.length + item.id;
  }
}
same<Equal<ItemOf<FromNested>, { sku: string; id: number }>>();

@IterativeProcessor('nested-wrong')
export class NestedWrong {
  @BuildEnumerator()
  build({ cursor }: BuildContext) {
    return enumerators.nested([(at) => enumerators.times(3, at), (n, at) => enumerators.array([String(n)], at)], {
      cursor,
    });
  }

  // @ts-expect-error the items are those of the innermost level: strings
  @EachIteration()
  each(n: number) {
    return n;
  }
}

@IterativeProcessor('poll')
export class FromPoll {
  @BuildEnumerator()
  build() {
    return enumerators.poll(async (): Promise<Order | null> => null, {
      idleMs: 100,
      ack: async (order) => void order.id,
    });
  }

  @EachIteration()
  each(order: Order) {
    return order.id;
  }
}
same<Equal<ItemOf<FromPoll>, Order>>();

@IterativeProcessor('poll-wrong')
export class PollWrong {
  @BuildEnumerator()
  build() {
    return enumerators.poll(async (): Promise<Order | null> => null);
  }

  // @ts-expect-error the items are never null
  @EachIteration()
  each(order: { id: number }) {
    return order.id;
  }
}

// ----------------------------------------------------------------------------------------------------- wrong arguments

// @ts-expect-error a Date is not a cursor
enumerators.keyset({ cursor: null, key: (row: { at: Date }) => row.at, fetch: async () => [] });
// @ts-expect-error a bigint is not a cursor
enumerators.keyset({ cursor: null, key: (row: { id: bigint }) => row.id, fetch: async () => [] });
// @ts-expect-error the key expects other rows
enumerators.keyset({ cursor: null, key: (row: { id: number }) => row.id, fetch: async () => [{ name: 'a' }] });
// @ts-expect-error the next token is missing
enumerators.pages({ cursor: null, fetch: async () => ({ items: [1] }) });
// @ts-expect-error the cursor is missing
enumerators.nested([(at) => enumerators.times(1, at), (_, at) => enumerators.times(1, at)]);
// @ts-expect-error retryInMs is missing
enumerators.throttle(enumerators.times(1, { cursor: null }), { when: () => true });
