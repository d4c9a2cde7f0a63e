import { RedrivenItem, redriveEnumerator, redriveOf } from '../dead-letters/index.js';
import type { BuildContext, ProcessorDefinition } from '../definition/index.js';
import { called, type EnumeratorLike, isEnumeratorLike } from '../enumerators/contract/index.js';
import { InvalidEnumeratorError, ItemGoneError } from '../iteration.errors.js';
import type { Run, RunContext } from '../runtime/index.js';

/** The run's source: what the processor builds, or the items of another job's dead letters. */
export async function buildSource(run: Run): Promise<EnumeratorLike<unknown> | null> {
  const { context, deadLetters, definition, interruption, job, lock } = run;
  const of = redriveOf(job);
  if (!of) return build(definition, context);
  return redriveEnumerator({
    job,
    of,
    letters: deadLetters(),
    version: definition.version,
    cursor: context.cursor,
    lock,
    build: (cursor) => build(definition, { data: job.data, job, signal: interruption.signal, cursor }),
  });
}

/** A processor's handler, for items of the source and of dead letters, in their transactions. */
export function handlerOf(definition: ProcessorDefinition, context: RunContext): (item: unknown) => unknown {
  const { handle, transactions } = definition;
  const handleItem = (item: unknown) => {
    context.item = item;
    return handle(item, context);
  };
  const adopt = transactions?.adopt?.bind(transactions);
  const handleOwn = adopt
    ? (item: unknown) => {
        adopt(item, context.transaction);
        return handleItem(item);
      }
    : handleItem;
  if (!redriveOf(context.job)) return handleOwn;
  return (item) => {
    const { letter, isGone, item: found } = item as RedrivenItem;
    if (isGone) throw new ItemGoneError(letter.before, letter.cursor);
    return handleOwn(found);
  };
}

async function build(
  { builderName, build: call }: ProcessorDefinition,
  context: BuildContext,
): Promise<EnumeratorLike<unknown> | null> {
  const enumerator: unknown = await called(builderName, () => call(context));
  if (enumerator === null || isEnumeratorLike(enumerator)) return enumerator;
  throw new InvalidEnumeratorError(
    `${builderName} returned ${String(enumerator)}; it must return an enumerator, an iterable of [item, cursor], or ` +
      'null for nothing to do. Was the "return" forgotten?',
  );
}
