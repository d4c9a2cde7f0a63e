/** Compiled by `npm run types`, never executed: ranges of sources. */
import type { Repository, SelectQueryBuilder } from 'typeorm';
import type { Enumerator, EnumeratorBuilder, Json } from '../../lib/index.js';
import type { PrismaClient } from '../support/prisma/generated/client.js';
import type { Post, User } from '../support/typeorm-entities.js';

type Equal<One, Other> = (<T>() => T extends One ? 1 : 2) extends <T>() => T extends Other ? 1 : 2 ? true : false;
declare function same<_Verdict extends true>(): void;

declare const enumerators: EnumeratorBuilder;
declare const users: Repository<User>;
declare const posts: SelectQueryBuilder<Post>;
declare const prisma: PrismaClient;
declare const part: Json | undefined;

const slices = enumerators.slices(['a', 'b'], { count: 2 });
same<Equal<typeof slices, Json[]>>();
// @ts-expect-error the count is missing
enumerators.slices(['a', 'b'], {});

const letters = enumerators.array(['a', 'b'], { cursor: null, range: part });
same<Equal<typeof letters, Enumerator<string, number>>>();
// @ts-expect-error numbers have no parts
enumerators.times(5, { cursor: null, range: part });

const ofUsers = enumerators.typeorm.partitions(users, { count: 4, key: [{ column: 'name', order: 'desc' }] });
same<Equal<typeof ofUsers, Promise<Json[]>>>();
void enumerators.typeorm.partitions(posts, { count: 4 });
// @ts-expect-error a part has no page size
void enumerators.typeorm.partitions(posts, { count: 4, pageSize: 5 });
enumerators.typeorm.records(users, { cursor: null, range: part });
enumerators.typeorm.batches(users, { cursor: null, range: part, batchSize: 5 });
enumerators.typeorm.queries(users, { cursor: null, range: part });

const ofEntries = enumerators.prisma.partitions(prisma.entry, { where: { done: true } }, { count: 4, key: 'id' });
same<Equal<typeof ofEntries, Promise<Json[]>>>();
// @ts-expect-error the field does not exist
void enumerators.prisma.partitions(prisma.entry, { where: { undone: true } }, { count: 4 });
enumerators.prisma.records(prisma.entry, { select: { id: true } }, { cursor: null, range: part });
enumerators.prisma.wheres(prisma.entry, {}, { cursor: null, range: part });

const ofFile = enumerators.csv.partitions('users.csv', { count: 4, delimiter: ';' });
same<Equal<typeof ofFile, Promise<Json[]>>>();
const rows = enumerators.csv.rows<{ id: string }>('users.csv', { cursor: null, range: part, delimiter: ';' });
same<Equal<typeof rows, Enumerator<{ id: string }>>>();
