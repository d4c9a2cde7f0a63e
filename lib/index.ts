/** @module nestjs-iteration */
export type { AroundedRun, AroundRun, EndedRun } from './around.run.js';
export {
  type AskedOptions,
  type BulkResult,
  type ControlEvent,
  type EnqueueOptions,
  type IterationRun,
  IterationService,
  type IterationState,
  type IterationStatus,
  type JobFilter,
  type JobRef,
  type PartPlace,
  type SettingsShown,
  type TunedSettings,
} from './control/index.js';
export type { Cursor, Json } from './cursor.js';
export type { DeadLetter } from './dead-letters/index.js';
export {
  AroundIteration,
  BuildEnumerator,
  BuildPartitions,
  type DataOf,
  EachIteration,
  type ItemOf,
  IterativeProcessor,
  OnIteration,
} from './decorators/index.js';
export type {
  BuildContext,
  CheckpointKey,
  Committed,
  Holder,
  IterationContext,
  IterationEvent,
  IterationEvents,
  IterationResult,
  PartitionsContext,
  RunEnd,
  TransactionHost,
} from './definition/index.js';
export type {
  At,
  BatchOptions,
  Built,
  Enumerator,
  EnumeratorLike,
  KeyColumn,
  KeysetOptions,
  PartitionOptions,
  PartOptions,
} from './enumerators/contract/index.js';
export { CsvEnumeratorBuilder, type CsvSource } from './enumerators/csv/csv.enumerator.js';
export { EnumeratorBuilder } from './enumerators/enumerator.builder.js';
export type { IterableOptions } from './enumerators/iterable.enumerator.js';
export type { KeysetFetchOptions } from './enumerators/keyset.enumerator.js';
export type { PagesOptions } from './enumerators/pages.enumerator.js';
export type { PollOptions } from './enumerators/poll.enumerator.js';
export { PrismaEnumeratorBuilder } from './enumerators/prisma/prisma.enumerator.js';
export type { PrismaArgs, PrismaDelegate, PrismaFlags, PrismaRow, PrismaWhere } from './enumerators/prisma/types.js';
export type { ThrottleOptions } from './enumerators/throttle.enumerator.js';
export {
  TypeOrmEnumeratorBuilder,
  type TypeOrmRepository,
  type TypeOrmSelect,
} from './enumerators/typeorm/typeorm.enumerator.js';
export {
  type IterationChannel,
  type IterationMessage,
  type IterationMessages,
  iterationChannel,
  type JobFacts,
  type RunFacts,
} from './events/index.js';
export {
  type PrismaProvider,
  type PrismaTransaction,
  type PrismaTransactionClient,
  PrismaTransactionHost,
  type PrismaTransactionOf,
  type PrismaTransactionOptions,
  prismaMigration,
  prismaModel,
} from './exactly-once/prisma/index.js';
export {
  CreateIterationCheckpoint1795305600000,
  type MigrationRunner,
  TypeOrmTransactionHost,
  type TypeOrmTransactionOptions,
} from './exactly-once/typeorm/index.js';
export type { Interruption } from './interruption/index.js';
export * from './iteration.errors.js';
export { type IterationAsyncOptions, IterationModule } from './iteration.module.js';
export type {
  CheckpointOptions,
  CrashOptions,
  ItemFailureOptions,
  IterationOptions,
  IterationWorkerOptions,
  ProcessorOptions,
  RunOptions,
} from './iteration.options.js';
export { ITERATION_OPTIONS } from './iteration.tokens.js';
