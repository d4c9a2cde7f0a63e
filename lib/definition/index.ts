export type {
  BuildContext,
  IterationContext,
  IterationEvent,
  IterationEvents,
  IterationResult,
  PartitionsContext,
  RunEnd,
} from './iteration.context.js';
export type { Hook, ProcessorDefinition } from './processor.definition.js';
export type { CheckpointKey, Committed, Holder, TransactionHost } from './transaction.host.js';
