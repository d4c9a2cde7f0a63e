import type { Json } from '../cursor.js';
import type { EnumeratorLike } from '../enumerators/contract/index.js';
import type { ProcessorOptions, ResolvedRunOptions } from '../iteration.options.js';
import type { BuildContext, IterationContext, IterationEvent, PartitionsContext } from './iteration.context.js';
import type { TransactionHost } from './transaction.host.js';

/** Everything that a run needs to know of a processor: a plain value, made by discovery. */
export interface ProcessorDefinition {
  /** Name of the processor's class, for errors and logs. */
  readonly name: string;
  readonly queue: string;
  /** Undefined: every name of the queue. */
  readonly jobName: string | undefined;
  readonly version: string | number | null;
  readonly onChange: NonNullable<ProcessorOptions['onChange']>;
  readonly options: ResolvedRunOptions;
  readonly transactions: TransactionHost<unknown> | undefined;
  readonly itemsPerTransaction: number;
  readonly describeItem: ProcessorOptions['describe'];
  /** `Class.method`, for error messages. */
  readonly builderName: string;
  readonly handlerName: string;
  readonly build: (context: BuildContext) => EnumeratorLike<unknown> | null | Promise<EnumeratorLike<unknown> | null>;
  /** Undefined: the job is not split. */
  readonly partition: ((context: PartitionsContext) => readonly Json[] | Promise<readonly Json[]>) | undefined;
  /** `Class.method`, for error messages. */
  readonly partitionsName: string;
  readonly partFailure: NonNullable<ProcessorOptions['partFailure']>;
  /** Handles one item, through every `@AroundIteration`. A promise only where the user's code gives one. */
  readonly handle: (item: unknown, context: IterationContext) => unknown;
  readonly hooks: Readonly<Record<IterationEvent, readonly Hook[]>>;
}

export interface Hook {
  /** `Class.method`. */
  readonly name: string;
  readonly call: (context: IterationContext, detail: unknown) => unknown;
}
