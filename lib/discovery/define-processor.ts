import type { InjectionToken, Type } from '@nestjs/common';
import { type Mark, marksOf, type Role } from '../decorators/index.js';
import type {
  Hook,
  IterationContext,
  IterationEvent,
  ProcessorDefinition,
  TransactionHost,
} from '../definition/index.js';
import { isPromise } from '../is.promise.js';
import { InvalidProcessorError } from '../iteration.errors.js';
import {
  type ProcessorOptions,
  type ResolvedIterationOptions,
  type ResolvedRunOptions,
  resolveRunOptions,
} from '../iteration.options.js';
import { checkProcessorOptions, checkWorkerOptions } from '../options.check.js';
import { nearest } from '../rules.js';

type Method = (...args: unknown[]) => unknown;

const EVENTS: readonly IterationEvent[] = ['start', 'resume', 'complete', 'end', 'interrupt', 'skip', 'fail', 'cancel'];

/** A provider that is a processor. */
interface Provided {
  readonly type: Type;
  readonly instance: object;
  readonly options: ProcessorOptions;
  /** Value that the application provides under a token. */
  readonly transactionsOf: (token: InjectionToken) => TransactionHost<unknown>;
}

/**
 * Marks -> a definition.
 *
 * @throws InvalidProcessorError, InvalidOptionsError for every misuse that the class alone shows.
 */
export function defineProcessor(
  { type, instance, options, transactionsOf }: Provided,
  module: ResolvedIterationOptions,
): ProcessorDefinition {
  checkProcessorOptions(type.name, options);
  refuseProcessMethod(type, instance);
  const marks = marksOf(type);
  const build = only(type, marks, 'build', '@BuildEnumerator()');
  const each = only(type, marks, 'each', '@EachIteration()');
  const partition = atMostOne(type, marks, 'partitions', '@BuildPartitions()');
  const bound = (method: string | symbol) =>
    ((...args) => (instance as Record<string | symbol, Method>)[method]?.(...args)) as Method;
  const around = marks.filter(({ role }) => role.type === 'around').map(({ method }) => bound(method));

  const runOptions = resolveRunOptions(module.run, options);
  checkWorkerOptions(type.name, runOptions.worker);
  if (options.transactions !== undefined) refuseItemsInFlight(type, runOptions);
  return {
    name: type.name,
    queue: options.queue,
    jobName: options.name,
    version: options.version ?? null,
    onChange: options.onChange ?? 'fail',
    options: runOptions,
    transactions: options.transactions === undefined ? undefined : transactionsOf(options.transactions),
    itemsPerTransaction: options.itemsPerTransaction ?? 1,
    describeItem: options.describe,
    builderName: `${type.name}.${String(build)}`,
    partition: partition === undefined ? undefined : (bound(partition) as ProcessorDefinition['partition']),
    partitionsName: `${type.name}.${String(partition)}`,
    partFailure: options.partFailure ?? 'fail',
    handlerName: `${type.name}.${String(each)}`,
    build: bound(build) as ProcessorDefinition['build'],
    handle: around.reduceRight(wrap, handlerOf(instance, each)),
    hooks: Object.fromEntries(
      EVENTS.map((event) => [event, hooksOf(type, marks, event, bound)]),
    ) as ProcessorDefinition['hooks'],
  };
}

function refuseProcessMethod(type: Type, instance: object): void {
  if (!('process' in instance) || typeof instance.process !== 'function') return;
  throw new InvalidProcessorError(
    type.name,
    'it has a method "process", which BullMQ\'s own processors have. Iterate in @EachIteration, and rename or remove it',
  );
}

function refuseItemsInFlight(type: Type, { itemConcurrency }: ResolvedRunOptions): void {
  if (itemConcurrency === 1) return;
  throw new InvalidProcessorError(
    type.name,
    `it has "transactions" and itemConcurrency ${itemConcurrency}: a transaction commits the cursor with its item, so items ` +
      'are handled one after the other. Set itemConcurrency: 1 here, and itemsPerTransaction to commit several at once',
  );
}

type Handle = ProcessorDefinition['handle'];

/** The one call that every item takes: no spread arguments. */
function handlerOf(instance: object, method: string | symbol): Handle {
  const processor = instance as Record<string | symbol, Handle>;
  return (item, context) => (processor[method] as Handle).call(processor, item, context);
}

function wrap(inner: Handle, around: Method): Handle {
  return (item: unknown, context: IterationContext) =>
    around(context, async () => {
      const returned = inner(item, context);
      if (isPromise(returned)) await returned;
    });
}

function only(type: Type, marks: readonly Mark[], role: Role['type'], decorator: string): string | symbol {
  const method = atMostOne(type, marks, role, decorator);
  if (method === undefined) throw new InvalidProcessorError(type.name, `no method has ${decorator}. Decorate one`);
  return method;
}

function atMostOne(
  type: Type,
  marks: readonly Mark[],
  role: Role['type'],
  decorator: string,
): string | symbol | undefined {
  const methods = marks.filter((mark) => mark.role.type === role).map(({ method }) => method);
  const [method, ...others] = methods;
  if (others.length > 0) {
    throw new InvalidProcessorError(type.name, `${methods.map(String).join(' and ')} have ${decorator}. Keep one`);
  }
  return method;
}

function hooksOf(
  type: Type,
  marks: readonly Mark[],
  event: IterationEvent,
  bound: (method: string | symbol) => Method,
): readonly Hook[] {
  return marks.flatMap(({ method, role }) => {
    if (role.type !== 'on') return [];
    if (!EVENTS.includes(role.event)) {
      throw new InvalidProcessorError(
        type.name,
        `${String(method)} has @OnIteration('${role.event}'), an unknown event. Did you mean '${nearest(String(role.event), EVENTS)}'?`,
      );
    }
    return role.event === event ? [{ name: `${type.name}.${String(method)}`, call: bound(method) }] : [];
  });
}
