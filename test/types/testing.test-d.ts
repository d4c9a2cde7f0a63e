/** Compiled by `npm run types`, never executed: the types of the testing kit. */
import {
  type BuildContext,
  BuildEnumerator,
  type Cursor,
  EachIteration,
  type EnumeratorBuilder,
  IterativeProcessor,
} from '../../lib/index.js';
import { iterate, resumeAtEveryPosition } from '../../lib/testing/index.js';

type Equal<One, Other> = (<T>() => T extends One ? 1 : 2) extends <T>() => T extends Other ? 1 : 2 ? true : false;
declare function same<_Verdict extends true>(): void;
declare const enumerators: EnumeratorBuilder;

interface User {
  readonly id: number;
}

@IterativeProcessor('typed')
export class Typed {
  @BuildEnumerator()
  build({ data, cursor }: BuildContext<{ readonly users: readonly User[] }>) {
    return enumerators.array(data.users, { cursor });
  }

  @EachIteration()
  each({ id }: User) {
    return id;
  }
}
declare const typed: Typed;

export async function items() {
  const done = await iterate(typed, { data: { users: [] } });
  same<Equal<typeof done.items, User[]>>();
  same<Equal<typeof done.cursors, Cursor[]>>();
  // @ts-expect-error The processor's data has users.
  await iterate(typed, { data: { names: [] } });
  // @ts-expect-error There is no such option.
  await iterate(typed, { interuptAfter: 1 });
  // @ts-expect-error A class is no processor with items.
  same<Equal<Awaited<ReturnType<typeof iterate<typeof Typed>>>['items'], User[]>>();
}

export async function sources() {
  const users = await resumeAtEveryPosition((cursor) => enumerators.array([{ id: 1 }], { cursor }));
  same<Equal<typeof users.items, { id: number }[]>>();
  async function* pages(cursor: number | null) {
    yield [{ id: (cursor ?? 0) + 1 }, 1] as const;
  }
  await resumeAtEveryPosition(pages, { identify: ({ id }) => id });
  await resumeAtEveryPosition((cursor: Cursor) => enumerators.csv.rows('users.csv', { cursor }));
  // @ts-expect-error It is built with a number, and yields strings as cursors.
  await resumeAtEveryPosition((cursor: number | null) => [['a', String(cursor)] as const]);
}
