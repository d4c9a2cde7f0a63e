import type { Cursor } from '../cursor.js';
import type { IterationContext } from '../definition/index.js';
import type { PrismaTransaction } from '../exactly-once/prisma/index.js';

/** The context of a method that builds: it returns an enumerator and its first parameter is a BuildContext. */
type Source = AsyncIterable<readonly [unknown, unknown]> | Iterable<readonly [unknown, unknown]>;
type BuildParameter<Method> = Method extends (...args: infer Args) => infer Returned
  ? [Extract<Awaited<Returned>, Source>] extends [never]
    ? never
    : Args extends readonly [infer Context, ...unknown[]]
      ? Context extends { readonly cursor: unknown; readonly data: unknown; readonly job: unknown }
        ? Context extends { readonly processed: unknown }
          ? never
          : Context
        : never
      : never
  : never;
type BuilderKeys<P> = { [K in keyof P]-?: [BuildParameter<P[K]>] extends [never] ? never : K }[keyof P];
/** A builder without a parameter, when no other is there. */
type BareBuilderKeys<P> = {
  [K in keyof P]-?: P[K] extends () => infer R
    ? Awaited<R> extends AsyncIterable<readonly [unknown, Cursor]>
      ? K
      : never
    : never;
}[keyof P];
export type BuilderOf<P> = [BuilderKeys<P>] extends [never] ? P[BareBuilderKeys<P>] : P[BuilderKeys<P>];
type Yielded<R> =
  R extends AsyncIterable<readonly [infer Item, unknown]>
    ? Item
    : R extends Iterable<readonly [infer Item, unknown]>
      ? Item
      : never;

/** The item type of a processor: what its `@BuildEnumerator` yields. */
export type ItemOf<P> = [BuilderOf<P>] extends [never]
  ? unknown
  : BuilderOf<P> extends (...args: never[]) => infer R
    ? Yielded<Awaited<R>>
    : unknown;

/** The data type of a processor: that of its `@BuildEnumerator`'s context. */
export type DataOf<P> = [BuilderKeys<P>] extends [never]
  ? unknown
  : BuildParameter<P[BuilderKeys<P>]> extends { readonly data: infer Data }
    ? Data
    : unknown;

type ContextOf<P> = IterationContext<DataOf<P>, never, never, ItemOf<P>>;

/** What `@EachIteration` may decorate on a class. */
export type Handler<P> = [BuilderOf<P>] extends [never]
  ? (item: never, context: never) => unknown
  : (item: ItemOf<P>, context: ContextOf<P>) => unknown;

/** What `@AroundIteration` may decorate on a class. */
export type Around<P> = (
  context: [BuilderOf<P>] extends [never] ? never : ContextOf<P>,
  next: () => Promise<void>,
) => Promise<void>;

/** What `@OnIteration` may decorate on a class. */
export type HookOf<P, Detail> = (
  context: [BuilderOf<P>] extends [never] ? never : ContextOf<P>,
  detail: Detail,
) => unknown;

/** The transaction that a method's context wants; `never`: none, `unknown`: it has no context. */
type Wanted<Method> = Method extends (...args: infer Args) => unknown
  ? Extract<Args[number], { readonly transaction: unknown; readonly processed: unknown }> extends {
      readonly transaction: infer Transaction;
    }
    ? Transaction
    : unknown
  : unknown;

/** P, with each method whose context wants another transaction than `Transaction` replaced by what there is. */
export type Uses<P, Transaction> = {
  [K in keyof P]: [Wanted<P[K]>] extends [never]
    ? P[K]
    : [Transaction] extends [Wanted<P[K]>]
      ? P[K]
      : { readonly 'context.transaction is': Transaction };
};

/** As {@link Uses}, for a host's class without a client type: any client that Prisma generates will do. */
export type UsesPrisma<P> = {
  [K in keyof P]: unknown extends Wanted<P[K]>
    ? P[K]
    : [Wanted<P[K]>] extends [PrismaTransaction]
      ? P[K]
      : { readonly 'context.transaction is': PrismaTransaction };
};
