// biome-ignore lint/suspicious/noTsIgnore: where Prisma is installed, as here, there is no error to expect
/** @ts-ignore Prisma is an optional peer: these declarations must compile where it is not installed. */
import type { Types as PrismaTypes } from '@prisma/client/runtime/client';

/** A model's delegate of a Prisma client: `prisma.user`, also of an extended client, also within `$transaction`. */
export interface PrismaDelegate<Payload, FindMany> {
  [K: symbol]: { types: { payload: Payload; operations: { findMany: { args: FindMany } } } };
  /** As Prisma generates it. */
  findMany(...args: never): PromiseLike<readonly unknown[]>;
}

/** Keeps `true` and `false` from widening to boolean: the row type follows them. */
export interface PrismaFlags {
  readonly [key: string]: boolean | string | number | bigint | object | PrismaFlags | null | undefined;
}

/** What the source itself sets. */
type Owned = 'orderBy' | 'cursor' | 'take' | 'skip' | 'distinct';

/** Only what `findMany` knows, and nothing of what the source itself sets. */
export type PrismaArgs<Args, FindMany> = {
  [K in keyof Args]: K extends Exclude<keyof FindMany, Owned> ? Args[K] : never;
};

/** The `where` of a delegate's `findMany`, `updateMany`, `deleteMany` and `count`. */
export type PrismaWhere<FindMany> = FindMany extends { where?: infer Where } ? NonNullable<Where> : never;

/** Fields that the client omits by its global `omit`, unless the query takes them back. */
type GlobalOmit<Delegate, Payload, Args> = Payload extends { scalars: infer Scalars }
  ? Delegate extends { findMany(...args: never): PromiseLike<readonly (infer Default)[]> }
    ? Exclude<
        keyof Scalars,
        | keyof Default
        | (Args extends { omit: infer Local }
            ? { [K in keyof Local]: Local[K] extends false ? K : never }[keyof Local]
            : never)
      >
    : never
  : never;

/** The row that `findMany` of this delegate gives for these arguments. */
export type PrismaRow<Delegate, Payload, Args> = Payload extends PrismaTypes.Payload
  ? Args extends { select: object }
    ? PrismaTypes.Result.GetResult<Payload, Args, 'findUniqueOrThrow'>
    : [GlobalOmit<Delegate, Payload, Args>] extends [never]
      ? PrismaTypes.Result.GetResult<Payload, Args, 'findUniqueOrThrow'>
      : Omit<PrismaTypes.Result.GetResult<Payload, Args, 'findUniqueOrThrow'>, GlobalOmit<Delegate, Payload, Args>>
  : never;
