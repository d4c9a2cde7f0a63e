import { hostname } from 'node:os';
import {
  CheckpointWriter,
  Progress,
  ProgressTracker,
  type Restored,
  RunTimes,
  readCheckpoint,
} from '../checkpoint/index.js';
import { type RedrivenItem, redriveOf } from '../dead-letters/index.js';
import type { ProcessorDefinition } from '../definition/index.js';
import { RunEvents } from '../events/index.js';
import { TransactionalExecutor } from '../exactly-once/index.js';
import { ItemGoneError } from '../iteration.errors.js';
import { partOf } from '../parts/index.js';
import {
  DirectExecutor,
  ItemRate,
  type Run,
  RunContext,
  RunHooks,
  type RunInputs,
  RunSettings,
} from '../runtime/index.js';

/** Puts together a run from what the worker gives and what the job's checkpoint says. */
export function createRun(inputs: RunInputs, restored: Restored): Run {
  const { job, publisher } = inputs;
  const definition = partOf(job) ? asPart(inputs.definition) : inputs.definition;
  const { checkpoint, isNew } = restored;
  const begun = {
    ...checkpoint,
    ...(isNew && { version: definition.version }),
    run: checkpoint.run + 1,
    worker: `${hostname()}:${process.pid}`,
    carrier: undefined,
    began: [inputs.clock.now(), checkpoint.passed] as const,
  };
  const progress = new ProgressTracker(Progress.of(checkpoint));
  const context = new RunContext({ ...inputs, definition, progress }, begun);
  const settings = new RunSettings(inputs);
  const rate = new ItemRate({ ...inputs, settings }, checkpoint.nextItemAt);
  const events = new RunEvents(publisher, {
    queue: job.queueName,
    id: job.id as string,
    name: job.name,
    processor: definition.name,
    run: begun.run,
    worker: begun.worker,
  });
  const times = new RunTimes(inputs.clock, checkpoint);
  const visible = { ...inputs, definition, progress, context, settings, rate, times, events };
  const writer = new CheckpointWriter(visible, begun, readCheckpoint(inputs.job.progress));
  const run = { ...visible, checkpoint: writer, hooks: new RunHooks(visible) };
  const handleItem = handlerOf(definition, context);
  const executor = definition.transactions
    ? new TransactionalExecutor(run, definition.transactions, handleItem)
    : new DirectExecutor(handleItem, run.checkpoint);
  return { ...run, executor };
}

/** `start` and the end of the job are its own, not those of its parts (R27). */
function asPart(definition: ProcessorDefinition): ProcessorDefinition {
  return { ...definition, hooks: { ...definition.hooks, start: [], complete: [], fail: [], cancel: [] } };
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
    context.part = letter.part?.value;
    return handleOwn(found);
  };
}
