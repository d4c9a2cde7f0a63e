/** Compiled by `npm run types`, never executed: the items of the Prisma sources, and the arguments they refuse. */
import {
  type BuildContext,
  BuildEnumerator,
  EachIteration,
  type Enumerator,
  type EnumeratorBuilder,
  type ItemOf,
  IterativeProcessor,
} from '../../lib/index.js';
import type { Author, Prisma, PrismaClient } from '../support/prisma/generated/client.js';

type Equal<One, Other> = (<T>() => T extends One ? 1 : 2) extends <T>() => T extends Other ? 1 : 2 ? true : false;
declare function same<_Verdict extends true>(): void;
declare const enumerators: EnumeratorBuilder;
declare const prisma: PrismaClient;
declare const omitting: PrismaClient<never, { post: { authorId: true } }>;
declare function extend(): ReturnType<typeof extended>;
const extended = () =>
  prisma.$extends({ result: { post: { label: { needs: { id: true }, compute: ({ id }) => `#${id}` } } } });
const at = { cursor: null };

interface WholePost {
  id: number;
  title: string;
  authorId: number;
}

// ------------------------------------------------------------------------------------------------- the type of an item

const whole = () => enumerators.prisma.records(prisma.author, {}, at);
same<Equal<ReturnType<typeof whole>, Enumerator<Author>>>();

const selected = () =>
  enumerators.prisma.records(prisma.author, { where: { id: 1 }, select: { email: true, name: true } }, at);
same<Equal<ReturnType<typeof selected>, Enumerator<{ email: string; name: string | null }>>>();

const omitted = () => enumerators.prisma.records(prisma.post, { omit: { id: true } }, at);
same<Equal<ReturnType<typeof omitted>, Enumerator<{ title: string; authorId: number }>>>();

const nested = () =>
  enumerators.prisma.records(prisma.post, { select: { id: true, author: { select: { email: true } } } }, at);
same<Equal<ReturnType<typeof nested>, Enumerator<{ id: number; author: { email: string } }>>>();

const inTransaction = (client: Prisma.TransactionClient) =>
  enumerators.prisma.records(client.post, { select: { id: true } }, at);
same<Equal<ReturnType<typeof inTransaction>, Enumerator<{ id: number }>>>();

const omittedEverywhere = () => enumerators.prisma.records(omitting.post, {}, at);
same<Equal<ItemOfSource<typeof omittedEverywhere>, Omit<WholePost, 'authorId'>>>();

const takenBack = () => enumerators.prisma.records(omitting.post, { omit: { authorId: false } }, at);
same<Equal<ItemOfSource<typeof takenBack>, WholePost>>();

const computed = () => enumerators.prisma.records(extend().post, { select: { label: true } }, at);
same<Equal<ItemOfSource<typeof computed>, { label: string }>>();

const batches = () => enumerators.prisma.batches(prisma.post, { select: { id: true } }, { ...at, batchSize: 10 });
same<Equal<ReturnType<typeof batches>, Enumerator<{ id: number }[]>>>();

const wheres = () => enumerators.prisma.wheres(prisma.post, { where: { author: { active: true } } }, at);
same<Equal<ReturnType<typeof wheres>, Enumerator<Prisma.PostWhereInput>>>();

type ItemOfSource<Build extends () => Enumerator<unknown>> =
  ReturnType<Build> extends Enumerator<infer Item> ? { [Field in keyof Item]: Item[Field] } : never;

// -------------------------------------------------------------------------------------- from the source to the handler

@IterativeProcessor('jobs')
export class OverIncluded {
  @BuildEnumerator()
  build({ cursor }: BuildContext) {
    const key = [{ column: 'email', order: 'desc', nulls: 'last' }] as const;
    return enumerators.prisma.records(prisma.author, { include: { posts: true } }, { cursor, key });
  }

  @EachIteration()
  each(author: Author & { posts: WholePost[] }) {
    return author.posts.length;
  }
}

@IterativeProcessor('jobs')
export class OverBatches {
  @BuildEnumerator()
  build({ cursor }: BuildContext) {
    return enumerators.prisma.batches(prisma.post, {}, { cursor });
  }

  @EachIteration()
  each(posts: WholePost[]) {
    return posts.length;
  }
}
same<Equal<ItemOf<OverBatches>, WholePost[]>>();

@IterativeProcessor('jobs')
export class OverWheres {
  @BuildEnumerator()
  build({ cursor }: BuildContext) {
    return enumerators.prisma.wheres(prisma.post, {}, { cursor });
  }

  @EachIteration()
  async each(where: Prisma.PostWhereInput) {
    await prisma.post.updateMany({ where, data: { title: '' } });
    await prisma.post.deleteMany({ where });
    await prisma.post.count({ where });
    await prisma.post.findMany({ where });
  }
}
same<Equal<ItemOf<OverWheres>, Prisma.PostWhereInput>>();

@IterativeProcessor('jobs')
export class WantsAFieldThatIsNotSelected {
  @BuildEnumerator()
  build({ cursor }: BuildContext) {
    return enumerators.prisma.records(prisma.post, { select: { id: true } }, { cursor });
  }

  // @ts-expect-error the title is not selected
  @EachIteration()
  each(post: { id: number; title: string }) {
    return post.title;
  }
}

@IterativeProcessor('jobs')
export class WantsARelationThatIsNotIncluded {
  @BuildEnumerator()
  build({ cursor }: BuildContext) {
    return enumerators.prisma.records(prisma.post, {}, { cursor });
  }

  // @ts-expect-error the author is not included
  @EachIteration()
  each(post: WholePost & { author: Author }) {
    return post.author;
  }
}

@IterativeProcessor('jobs')
export class WantsOneOfABatch {
  @BuildEnumerator()
  build({ cursor }: BuildContext) {
    return enumerators.prisma.batches(prisma.post, {}, { cursor });
  }

  // @ts-expect-error an item is an array of posts
  @EachIteration()
  each(post: WholePost) {
    return post.id;
  }
}

@IterativeProcessor('jobs')
export class WantsTheWhereOfAnotherModel {
  @BuildEnumerator()
  build({ cursor }: BuildContext) {
    return enumerators.prisma.wheres(prisma.post, {}, { cursor });
  }

  // @ts-expect-error an item is a where of posts
  @EachIteration()
  each(where: Prisma.AccountWhereInput) {
    return where;
  }
}

// ----------------------------------------------------------------------------------------------------- wrong arguments

// @ts-expect-error the source sets the order
enumerators.prisma.records(prisma.post, { orderBy: { id: 'asc' } }, at);
// @ts-expect-error the source sets the limit
enumerators.prisma.records(prisma.post, { take: 1 }, at);
// @ts-expect-error the source sets the limit
enumerators.prisma.batches(prisma.post, { skip: 1 }, at);
// @ts-expect-error the source sets the cursor
enumerators.prisma.batches(prisma.post, { cursor: { id: 1 } }, at);
// @ts-expect-error a distinct row has no position
enumerators.prisma.records(prisma.post, { distinct: ['id'] }, at);
// @ts-expect-error the field does not exist
enumerators.prisma.records(prisma.post, { where: { nope: 1 } }, at);
// @ts-expect-error the field does not exist
enumerators.prisma.wheres(prisma.post, { where: { nope: 1 } }, at);
// @ts-expect-error a value of another type
enumerators.prisma.wheres(prisma.post, { where: { id: 'one' } }, at);
// @ts-expect-error the source reads no rows
enumerators.prisma.wheres(prisma.post, { select: { id: true } }, at);
// @ts-expect-error the argument does not exist
enumerators.prisma.records(prisma.post, { wehre: { id: 1 } }, at);
// @ts-expect-error the argument does not exist
enumerators.prisma.batches(prisma.post, { wehre: { id: 1 } }, at);
// @ts-expect-error the cursor is missing
enumerators.prisma.records(prisma.post, {}, {});
// @ts-expect-error records have no batches
enumerators.prisma.records(prisma.post, {}, { cursor: null, batchSize: 5 });
// @ts-expect-error nulls are first or last
enumerators.prisma.wheres(prisma.post, {}, { cursor: null, key: [{ column: 'id', order: 'asc', nulls: 'middle' }] });
// @ts-expect-error a client is not a delegate
enumerators.prisma.wheres(prisma, {}, at);
