/** Compiled by `npm run types`, never executed: the items of `typeorm.queries`. */
import type { Repository, SelectQueryBuilder } from 'typeorm';
import {
  type BuildContext,
  BuildEnumerator,
  EachIteration,
  type Enumerator,
  type EnumeratorBuilder,
  type ItemOf,
  IterativeProcessor,
} from '../../lib/index.js';
import type { Post, User } from '../support/typeorm-entities.js';

type Equal<One, Other> = (<T>() => T extends One ? 1 : 2) extends <T>() => T extends Other ? 1 : 2 ? true : false;
declare function same<_Verdict extends true>(): void;

declare const enumerators: EnumeratorBuilder;
declare const users: Repository<User>;
declare const posts: SelectQueryBuilder<Post>;

@IterativeProcessor('jobs')
export class OfARepository {
  @BuildEnumerator()
  build({ cursor }: BuildContext) {
    const batches = enumerators.typeorm.queries(users, { cursor, batchSize: 500, key: 'name' });
    same<Equal<typeof batches, Enumerator<SelectQueryBuilder<User>>>>();
    return batches;
  }

  @EachIteration()
  async each(batch: SelectQueryBuilder<User>) {
    await batch.update().set({ plan: 'pro' }).execute();
    // @ts-expect-error the property does not exist
    await batch.update().set({ plans: 'pro' }).execute();
  }
}
same<Equal<ItemOf<OfARepository>, SelectQueryBuilder<User>>>();

@IterativeProcessor('jobs')
export class OfAQuery {
  @BuildEnumerator()
  build({ cursor }: BuildContext) {
    return enumerators.typeorm.queries(posts.where("title = 'x'"), {
      cursor,
      key: ['title', { column: 'id', order: 'desc' }],
    });
  }

  // @ts-expect-error the batch is of another entity
  @EachIteration()
  each(batch: SelectQueryBuilder<User>) {
    return batch.delete().execute();
  }

  // @ts-expect-error the item is a query, not an entity
  @EachIteration()
  entity(post: Post) {
    return post.title;
  }

  // @ts-expect-error the item is a query, not entities
  @EachIteration()
  entities(batch: Post[]) {
    return batch.length;
  }
}
same<Equal<ItemOf<OfAQuery>, SelectQueryBuilder<Post>>>();

// @ts-expect-error the source must be a repository or a select
enumerators.typeorm.queries(users.createQueryBuilder().delete(), { cursor: null });
// @ts-expect-error the cursor is missing
enumerators.typeorm.queries(users, { batchSize: 500 });
// @ts-expect-error the option does not exist
enumerators.typeorm.queries(users, { cursor: null, size: 500 });
