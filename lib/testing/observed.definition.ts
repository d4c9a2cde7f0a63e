import type { Type } from '@nestjs/common';
import { marksOf, processorOptionsOf } from '../decorators/index.js';
import type { IterationContext, IterationEvent, ProcessorDefinition, TransactionHost } from '../definition/index.js';
import { describe } from '../describe.js';
import { defineProcessor } from '../discovery/index.js';
import { isEnumeratorLike } from '../enumerators/contract/index.js';
import { isPromise } from '../is.promise.js';
import { InvalidOptionsError, InvalidProcessorError } from '../iteration.errors.js';
import { type RunOptions, resolveIterationOptions } from '../iteration.options.js';
import type { Recording } from './recording.js';
import type { RunStops } from './run.stops.js';
import { withMethod } from './with.method.js';
import type { YieldedItems } from './yielded.items.js';

/** Throws instead of handling an item: the error that it returns, unless it returns undefined. */
export type FailAt = (index: number, tries: number) => unknown;

interface Observers {
  readonly items: YieldedItems;
  readonly recording: Recording;
  readonly stops: RunStops;
  readonly failAt: FailAt;
}

interface DefinitionOptions {
  readonly transactions: TransactionHost<unknown> | undefined;
  /** What the module's `forRoot` is given. */
  readonly defaults: RunOptions;
}

/** The definition of a processor, as discovery makes it, whose methods are watched. */
export function observedDefinition(
  processor: object,
  { defaults, transactions }: DefinitionOptions,
  observers: Observers,
): ProcessorDefinition {
  const type = typeOf(processor);
  const options = processorOptionsOf(type);
  if (!options) throw new InvalidProcessorError(type.name, 'it has no @IterativeProcessor, so no job is made for it');
  const { items, recording, stops } = observers;
  const reopen = (count: number) => {
    items.reopen(count);
    stops.reopenItems(count);
  };
  const transactionsOf = () => {
    if (transactions) return recording.watchTransactions(transactions, reopen);
    throw new InvalidProcessorError(
      type.name,
      'it has "transactions": give iterate() their host, as in iterate(processor, { transactions: host })',
    );
  };
  const instance = failing(processor, type, observers);
  const definition = defineProcessor({ type, instance, options, transactionsOf }, resolveIterationOptions(defaults));
  return observed(withoutWaiting(definition), observers);
}

function typeOf(processor: object): Type {
  if (typeof processor === 'object' && processor !== null) return processor.constructor as Type;
  throw new InvalidOptionsError(
    `iterate(${describe(processor)}): give it a processor, made with new or taken from a module: module.get(NotifyUsers)`,
  );
}

/** Handlers of the processor throw where the test says so, within each `@AroundIteration`. */
function failing(processor: object, type: Type, { failAt, items }: Observers): object {
  const each = marksOf(type).find(({ role }) => role.type === 'each')?.method;
  const call = (item: unknown, context: IterationContext) => {
    const yielded = items.take(item, context);
    const error = failAt(items.numberOf(yielded), ++yielded.tries);
    if (error !== undefined) throw error;
    const methods = processor as Record<string | symbol, (item: unknown, context: IterationContext) => unknown>;
    return methods[each as string]?.(item, context);
  };
  return withMethod(processor, each, call);
}

/** Time is not waited for: neither between the tries of an item, nor for a rate. */
function withoutWaiting(definition: ProcessorDefinition): ProcessorDefinition {
  const { options } = definition;
  const itemFailure = { ...options.itemFailure, backoffMs: 0 };
  return { ...definition, options: { ...options, itemFailure, itemsPerSecond: Infinity } };
}

function observed(definition: ProcessorDefinition, { items, recording, stops }: Observers): ProcessorDefinition {
  const watch = <Built>(built: Built) => (isEnumeratorLike(built) ? items.watch(built) : built);
  const hooks = Object.entries(definition.hooks).map(([event, each]) => {
    const watched = each.map((hook) => ({
      ...hook,
      call: (context: IterationContext, detail: unknown) => {
        recording.hooks.push(event as IterationEvent);
        return hook.call(context, detail);
      },
    }));
    return [event, watched] as const;
  });
  return {
    ...definition,
    build: (context) => {
      const built = definition.build(context);
      return (isPromise(built) ? Promise.resolve(built).then(watch) : watch(built)) as typeof built;
    },
    handle: (item, context) => {
      const yielded = items.take(item, context);
      const finish = (returned: unknown) => {
        items.finish(yielded);
        recording.finish(item, yielded.cursor());
        stops.finishItem();
        return returned;
      };
      const fail = (error: unknown): never => {
        yielded.hasFailed = yielded.tries >= definition.options.itemFailure.attempts;
        throw error;
      };
      let returned: unknown;
      try {
        returned = definition.handle(item, context);
      } catch (error) {
        return fail(error);
      }
      return isPromise(returned) ? Promise.resolve(returned).then(finish, fail) : finish(returned);
    },
    hooks: Object.fromEntries(hooks) as unknown as ProcessorDefinition['hooks'],
  };
}
