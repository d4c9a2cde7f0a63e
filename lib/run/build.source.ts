import { redriveEnumerator, redriveOf } from '../dead-letters/index.js';
import type { BuildContext, ProcessorDefinition } from '../definition/index.js';
import { describe } from '../describe.js';
import { called, type EnumeratorLike, isEnumeratorLike } from '../enumerators/contract/index.js';
import { InvalidEnumeratorError } from '../iteration.errors.js';
import type { Run } from '../runtime/index.js';

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
    build: (cursor, part) =>
      build(definition, {
        data: job.data,
        job,
        signal: interruption.signal,
        cursor,
        ...(part !== undefined && { part }),
      }),
  });
}

async function build(
  { builderName, build: call }: ProcessorDefinition,
  context: BuildContext,
): Promise<EnumeratorLike<unknown> | null> {
  const enumerator: unknown = await called(builderName, () => call(context));
  if (enumerator === null || isEnumeratorLike(enumerator)) return enumerator;
  throw new InvalidEnumeratorError(
    `${builderName} returned ${describe(enumerator)}; it must return an enumerator, an iterable of [item, cursor], or ` +
      'null for nothing to do. Was the "return" forgotten?',
  );
}
