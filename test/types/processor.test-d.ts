/** Compiled by `npm run types`, never executed: what the types accept, and what they refuse. */
import type { Job } from 'bullmq';
import type { EntityManager, Repository } from 'typeorm';
import {
  AroundIteration,
  type BuildContext,
  BuildEnumerator,
  type Cursor,
  type DataOf,
  EachIteration,
  type Enumerator,
  type EnumeratorBuilder,
  type Interruption,
  type ItemOf,
  type IterationContext,
  IterationModule,
  type IterationService,
  IterativeProcessor,
  OnIteration,
  type RunEnd,
} from '../../lib/index.js';
import type { User } from '../support/typeorm-entities.js';

type Equal<One, Other> = (<T>() => T extends One ? 1 : 2) extends <T>() => T extends Other ? 1 : 2 ? true : false;
declare function same<_Verdict extends true>(): void;

declare const enumerators: EnumeratorBuilder;
declare const users: Repository<User>;
declare const iterations: IterationService;

interface Plan {
  plan: string;
}
interface Row {
  name: string;
  population: string;
}

// --------------------------------------------------------------------- from each source to the handler and the context

@IterativeProcessor({ queue: 'jobs', name: 'array' })
export class FromArray {
  @BuildEnumerator()
  build({ cursor }: BuildContext<Plan>) {
    return enumerators.array([{ id: 1 }, { id: 2 }], { cursor });
  }

  @EachIteration()
  async each(item: { id: number }, { data, job, cursor, processed, signal }: IterationContext<Plan>) {
    same<Equal<typeof data, Plan>>();
    same<Equal<typeof job, Job<Plan>>>();
    same<Equal<typeof cursor, Cursor>>();
    same<Equal<typeof processed, number>>();
    same<Equal<typeof signal, AbortSignal>>();
    return item.id;
  }
}
same<Equal<ItemOf<FromArray>, { id: number }>>();
same<Equal<DataOf<FromArray>, Plan>>();

@IterativeProcessor('jobs')
export class FromTimes {
  @BuildEnumerator()
  build({ cursor }: BuildContext) {
    return enumerators.times(5, { cursor });
  }

  @EachIteration()
  each(item: number) {
    return item;
  }
}
same<Equal<ItemOf<FromTimes>, number>>();
same<Equal<DataOf<FromTimes>, unknown>>();

@IterativeProcessor('jobs')
export class FromOnce {
  @BuildEnumerator()
  build({ cursor }: BuildContext) {
    return enumerators.once({ cursor });
  }

  @EachIteration()
  each() {}
}
same<Equal<ItemOf<FromOnce>, undefined>>();

@IterativeProcessor('jobs')
export class FromIterable {
  @BuildEnumerator()
  build({ cursor }: BuildContext<Plan, string>) {
    same<Equal<typeof cursor, string | null>>();
    const pairs: [{ at: number }, string][] = [[{ at: 1 }, 'key']];
    return enumerators.from(pairs, { size: () => 1 });
  }

  @EachIteration()
  each(item: { at: number }) {
    return item;
  }
}
same<Equal<ItemOf<FromIterable>, { at: number }>>();

@IterativeProcessor('jobs')
export class FromCsv {
  @BuildEnumerator()
  build({ cursor }: BuildContext<{ file: string }>) {
    return enumerators.csv.rows<Row>('cities.csv', { cursor, columns: true });
  }

  @EachIteration()
  each(row: Row, { data }: IterationContext<{ file: string }>) {
    return row.population + data.file;
  }
}
same<Equal<ItemOf<FromCsv>, Row>>();

@IterativeProcessor('jobs')
export class FromTypeOrm {
  @BuildEnumerator()
  build({ cursor, data }: BuildContext<Plan>) {
    return enumerators.typeorm.records(users.createQueryBuilder('u').where('u.plan = :plan', data), { cursor });
  }

  @EachIteration()
  each(user: User) {
    return user.plan;
  }
}
same<Equal<ItemOf<FromTypeOrm>, User>>();

@IterativeProcessor('jobs')
export class FromAsyncGenerator {
  @BuildEnumerator()
  async *build({ data: _ }: BuildContext<Plan>): AsyncGenerator<readonly [Date, number]> {
    yield [new Date(), 1];
  }

  @EachIteration()
  each(item: Date) {
    return item.getTime();
  }
}
same<Equal<ItemOf<FromAsyncGenerator>, Date>>();

@IterativeProcessor('jobs')
export class FromInferredGenerator {
  @BuildEnumerator()
  async *build({ data }: BuildContext<Plan>) {
    for (const letter of data.plan) yield [letter, letter.length] as const;
  }

  @EachIteration()
  each(letter: string) {
    return letter;
  }
}
same<Equal<ItemOf<FromInferredGenerator>, string>>();

@IterativeProcessor('jobs')
export class FromGenerator {
  @BuildEnumerator()
  *build({ cursor: _ }: BuildContext<Plan>): Generator<[string, { page: number; token: string | null }]> {
    yield ['a', { page: 1, token: null }];
  }

  @EachIteration()
  each(item: string) {
    return item.length;
  }
}
same<Equal<ItemOf<FromGenerator>, string>>();

@IterativeProcessor('jobs')
export class FromPromise {
  @BuildEnumerator()
  async build({ cursor }: BuildContext<Plan>) {
    return enumerators.array(['a'], { cursor });
  }

  @EachIteration()
  each(item: string) {
    return item;
  }
}
same<Equal<ItemOf<FromPromise>, string>>();

@IterativeProcessor('jobs')
export class FromNullable {
  @BuildEnumerator()
  async build({ cursor, data }: BuildContext<Plan>) {
    return data.plan === 'none' ? null : enumerators.array([1], { cursor });
  }

  @EachIteration()
  each(item: number) {
    return item;
  }
}
same<Equal<ItemOf<FromNullable>, number>>();

@IterativeProcessor('jobs')
export class FromOneOfTwo {
  @BuildEnumerator()
  build({ cursor, data }: BuildContext<Plan>) {
    return data.plan === 'none' ? enumerators.array(['a'], { cursor }) : enumerators.array([1], { cursor });
  }

  @EachIteration()
  each(item: string | number) {
    return item;
  }
}
same<Equal<ItemOf<FromOneOfTwo>, string | number>>();

@IterativeProcessor('jobs')
export class WithoutParameter {
  @BuildEnumerator()
  build(): Enumerator<boolean, number> {
    return {} as Enumerator<boolean, number>;
  }

  @EachIteration()
  each(item: boolean, { data }: IterationContext) {
    same<Equal<typeof data, unknown>>();
    return item;
  }
}
same<Equal<ItemOf<WithoutParameter>, boolean>>();

/** Methods and properties that resemble builders do not confuse the types. */
@IterativeProcessor('jobs')
export class WithOtherMembers {
  readonly cache = new Map<string, number>();
  readonly pairs: readonly (readonly [number, number])[] = [];
  cached(): Iterable<[string, number]> {
    return this.cache;
  }
  label({ processed }: IterationContext): [string, number][] {
    return [['a', processed]];
  }

  @BuildEnumerator()
  build({ cursor }: BuildContext<Plan>) {
    return enumerators.array([true], { cursor });
  }

  @EachIteration()
  each(item: boolean, context: IterationContext<Plan>) {
    return [item, this.label(context)];
  }
}
same<Equal<ItemOf<WithOtherMembers>, boolean>>();
same<Equal<DataOf<WithOtherMembers>, Plan>>();

export abstract class Base<Item> {
  protected abstract items(): Item[];

  @BuildEnumerator()
  build({ cursor }: BuildContext<Plan>) {
    return enumerators.array(this.items(), { cursor });
  }

  @EachIteration()
  each(_item: unknown) {}
}
@IterativeProcessor('jobs')
export class Derived extends Base<Row> {
  protected items() {
    return [];
  }

  @EachIteration()
  override each(row: Row) {
    return row.name;
  }
}
same<Equal<ItemOf<Derived>, Row>>();

// --------------------------------------------------------------------------------------------------- types of handlers

export class Handlers {
  @BuildEnumerator()
  build({ cursor }: BuildContext<Plan>) {
    return enumerators.array([{ id: 1, name: 'a' }], { cursor });
  }

  @EachIteration()
  nothing() {}

  @EachIteration()
  less({ id }: { id: number }, { data }: IterationContext<{ plan: string | undefined }>) {
    return [id, data];
  }

  @EachIteration()
  anything(_item: unknown, _context: IterationContext) {}

  @EachIteration()
  stateful(_item: unknown, context: IterationContext<Plan, never, { sum: number }>) {
    context.state = { sum: context.state.sum + 1 };
  }

  // @ts-expect-error the items are objects
  @EachIteration()
  another(_item: string) {}

  // @ts-expect-error the items have no field "age"
  @EachIteration()
  more(_item: { id: number; age: number }) {}

  // @ts-expect-error the data has another shape
  @EachIteration()
  otherData(_item: unknown, _context: IterationContext<{ amount: number }>) {}

  // @ts-expect-error the data's field is of another type
  @EachIteration()
  otherField(_item: unknown, _context: IterationContext<{ plan: number }>) {}

  // @ts-expect-error a handler receives two arguments
  @EachIteration()
  third(_item: unknown, _context: IterationContext, _third: number) {}

  @EachIteration()
  members(_item: unknown, context: IterationContext<Plan>) {
    context.stop();
    context.stop({ silent: true });
    context.retryIn(1_000);
    // @ts-expect-error the cursor is read-only
    context.cursor = 1;
    // @ts-expect-error the count is read-only
    context.processed = 1;
    // @ts-expect-error an unknown option
    context.stop({ quiet: true });
    // @ts-expect-error a number of milliseconds
    context.retryIn('5m');
    // @ts-expect-error a Date is not a state: JSON would change it
    context.state = new Date();
  }
}

/** Subclasses have the builder; the types check its items where the subclass is decorated. */
export abstract class WithoutBuilder {
  @EachIteration()
  each(_item: string) {}
}

// ------------------------------------------------------------------------------------------------------------ builders

export class Builders {
  // @ts-expect-error the return is missing
  @BuildEnumerator()
  forgotten({ cursor }: BuildContext) {
    enumerators.times(1, { cursor });
  }

  // @ts-expect-error items without cursors
  @BuildEnumerator()
  withoutCursors({ cursor: _ }: BuildContext) {
    return [1, 2];
  }

  // @ts-expect-error a Date is not a cursor: JSON would change it
  @BuildEnumerator()
  dates({ cursor: _ }: BuildContext): Iterable<[string, Date]> {
    return [];
  }

  // @ts-expect-error a bigint is not a cursor: JSON has none
  @BuildEnumerator()
  async *bigints({ cursor: _ }: BuildContext): AsyncGenerator<[string, bigint]> {
    yield ['a', 1n];
  }

  // @ts-expect-error undefined is not a cursor
  @BuildEnumerator()
  missing({ cursor: _ }: BuildContext): Iterable<[string, undefined]> {
    return [];
  }

  // @ts-expect-error a Map is not a cursor: JSON would empty it
  @BuildEnumerator()
  maps({ cursor: _ }: BuildContext): Iterable<[string, Map<string, string>]> {
    return [];
  }

  @BuildEnumerator()
  deep({
    cursor: _,
  }: BuildContext): Iterable<readonly [string, { at: readonly [number, string | null]; ok: boolean }]> {
    return [];
  }

  @BuildEnumerator()
  ownCursor({ cursor }: BuildContext<Plan, { page: number }>) {
    same<Equal<typeof cursor, { page: number } | null>>();
    return null;
  }

  @BuildEnumerator()
  // @ts-expect-error a Date is not a cursor to build from
  dateCursor({ cursor: _ }: BuildContext<Plan, Date>) {
    return null;
  }
}

// @ts-expect-error a Date is not a cursor to start after
enumerators.array([1], { cursor: new Date() });
// @ts-expect-error the cursor is missing
enumerators.array([1], {});
// @ts-expect-error a Date is not a cursor
enumerators.from([['a', new Date()]] as [string, Date][]);

// --------------------------------------------------------------------------------------------------- hooks and arounds

@IterativeProcessor('jobs')
export class Hooks {
  @BuildEnumerator()
  build({ cursor }: BuildContext<Plan>) {
    return enumerators.array([1], { cursor });
  }

  @EachIteration()
  each(_item: number) {}

  @OnIteration('start')
  @OnIteration('resume')
  @OnIteration('complete')
  plain({ data, item }: IterationContext<Plan, never, never, number>) {
    same<Equal<typeof data, Plan>>();
    same<Equal<typeof item, number>>();
    return { returned: data.plan };
  }

  @OnIteration('interrupt')
  interrupt(_context: IterationContext<Plan>, { reason, retryInMs }: Interruption) {
    same<Equal<typeof retryInMs, number | undefined>>();
    return reason === 'shutdown';
  }

  @OnIteration('end')
  end(_context: IterationContext<Plan>, { outcome, error }: RunEnd) {
    return outcome === 'retry' ? error : undefined;
  }

  @OnIteration('fail')
  @OnIteration('cancel')
  async failed(_context: IterationContext, { error }: { readonly error: unknown }) {
    return String(error);
  }

  @OnIteration('skip')
  skipped(_context: IterationContext, { item, cursor }: { item: unknown; cursor: Cursor }) {
    return [item, cursor];
  }

  @OnIteration('start')
  nothing() {}

  // @ts-expect-error the detail of an interruption is not a RunEnd
  @OnIteration('interrupt')
  interruptEnd(_context: IterationContext<Plan>, _end: RunEnd) {}

  // @ts-expect-error start has no detail
  @OnIteration('start')
  startDetail(_context: IterationContext<Plan>, _detail: RunEnd) {}

  // @ts-expect-error an error may be anything
  @OnIteration('fail')
  failError(_context: IterationContext<Plan>, _detail: { error: Error }) {}

  // @ts-expect-error the data has another shape
  @OnIteration('complete')
  otherData(_context: IterationContext<{ amount: number }>) {}

  // @ts-expect-error the items are numbers
  @OnIteration('complete')
  otherItem(_context: IterationContext<Plan, never, never, string>) {}

  // @ts-expect-error an unknown event
  @OnIteration('completed')
  unknownEvent() {}

  @AroundIteration()
  async around({ item, data }: IterationContext<Plan, never, never, number>, next: () => Promise<void>) {
    same<Equal<typeof item, number>>();
    if (data.plan !== '') await next();
  }

  @AroundIteration()
  aroundOfAny(_context: IterationContext, next: () => Promise<void>): Promise<void> {
    return next();
  }

  // @ts-expect-error the items are numbers
  @AroundIteration()
  async aroundOther(_context: IterationContext<Plan, never, never, string>, next: () => Promise<void>) {
    await next();
  }

  // @ts-expect-error it must return a promise, which says when the item is finished
  @AroundIteration()
  aroundNow(_context: IterationContext<Plan>, next: () => Promise<void>): void {
    void next();
  }
}

// ----------------------------------------------------------------------------------------------- the class and options

// @ts-expect-error the processor has no transaction host
@IterativeProcessor('jobs')
export class WantsTransaction {
  @BuildEnumerator()
  build({ cursor }: BuildContext) {
    return enumerators.times(1, { cursor });
  }

  each(_item: number, { transaction }: IterationContext<unknown, EntityManager>) {
    return transaction;
  }
}

@IterativeProcessor({
  queue: 'jobs',
  name: 'every-option',
  version: 2,
  onChange: ({ version, cursor }) => (version === 1 ? [cursor, 0] : null),
  maxRuntimeMs: 60_000,
  resumeDelayMs: 5,
  checkpoint: { everyMs: 500, everyItems: 100 },
  worker: { concurrency: 5, limiter: { max: 1, duration: 1_000 }, lockDuration: 10_000 },
})
export class EveryOption extends FromTimes {}

// @ts-expect-error the queue is missing
IterativeProcessor({ name: 'x' });
// @ts-expect-error an unknown option
IterativeProcessor({ queue: 'jobs', maxRuntime: 5 });
// @ts-expect-error an unknown option of checkpoint
IterativeProcessor({ queue: 'jobs', checkpoint: { every: 5 } });
IterativeProcessor({ queue: 'jobs', itemConcurrency: 5 });
IterativeProcessor({ queue: 'jobs', partFailure: 'continue' });
// @ts-expect-error neither 'fail' nor 'continue'
IterativeProcessor({ queue: 'jobs', partFailure: 'skip' });
// @ts-expect-error the worker's connection is the queue's
IterativeProcessor({ queue: 'jobs', worker: { connection: {} } });
// @ts-expect-error maxStartedAttempts would count interruptions
IterativeProcessor({ queue: 'jobs', worker: { maxStartedAttempts: 3 } });
// @ts-expect-error workers start after the bootstrap
IterativeProcessor({ queue: 'jobs', worker: { autorun: false } });
// @ts-expect-error neither fail, restart nor a function
IterativeProcessor({ queue: 'jobs', onChange: 'skip' });
// @ts-expect-error a Date is not a cursor to resume after
IterativeProcessor({ queue: 'jobs', onChange: () => new Date() });
// @ts-expect-error a number of milliseconds
IterativeProcessor({ queue: 'jobs', maxRuntimeMs: '5m' });

IterationModule.forRoot();
IterationModule.forRoot({ shutdown: { deadlineMs: 1 }, unknownJobMs: 1, workers: false, worker: { concurrency: 1 } });
IterationModule.forRootAsync({ useFactory: async () => ({ workers: false }) });
// @ts-expect-error an unknown option
IterationModule.forRoot({ deadlineMs: 5 });
// @ts-expect-error the queue is the processor's
IterationModule.forRoot({ queue: 'jobs' });
// @ts-expect-error the factory returns a wrong option
IterationModule.forRootAsync({ useFactory: async () => ({ workers: 'no' }) });

// ------------------------------------------------------------------------------------------------------------- enqueue

export async function enqueues() {
  const job = await iterations.enqueue(FromArray, { plan: 'pro' });
  same<Equal<typeof job.data, Plan>>();
  await iterations.enqueue(FromArray, { plan: 'pro' }, { jobId: 'one', delay: 5, cursor: 3 });
  await iterations.enqueue(FromTimes);
  await iterations.enqueue(FromTimes, 'anything');
  await iterations.enqueue(FromTimes, undefined, { cursor: [1, 'a', { b: null }] });

  // @ts-expect-error the data is required
  await iterations.enqueue(FromArray);
  // @ts-expect-error the data lacks the plan
  await iterations.enqueue(FromArray, {});
  // @ts-expect-error the plan is a string
  await iterations.enqueue(FromArray, { plan: 5 });
  // @ts-expect-error the data has no field "amount"
  await iterations.enqueue(FromArray, { plan: 'pro', amount: 5 });
  // @ts-expect-error a Date is not a valid cursor
  await iterations.enqueue(FromArray, { plan: 'pro' }, { cursor: new Date() });
  // @ts-expect-error an unknown option
  await iterations.enqueue(FromArray, { plan: 'pro' }, { atempts: 5 });
  // @ts-expect-error a class, not an instance
  await iterations.enqueue(new FromTimes());
}
