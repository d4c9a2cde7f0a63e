export { type EnqueueOptions, IterationService, type JobRef } from './control/iteration.service.js';
export type { IterationState, IterationStatus } from './control/status.js';
export type { Cursor, Json } from './cursor.js';
export type { DeadLetter } from './dead-letters/letter.js';
export { AroundIteration } from './decorators/around-iteration.decorator.js';
export { BuildEnumerator } from './decorators/build-enumerator.decorator.js';
export { EachIteration } from './decorators/each-iteration.decorator.js';
export { IterativeProcessor } from './decorators/iterative-processor.decorator.js';
export { OnIteration } from './decorators/on-iteration.decorator.js';
export type { DataOf, ItemOf } from './decorators/processor.types.js';
export type {
  At,
  BatchOptions,
  Built,
  Enumerator,
  EnumeratorLike,
  KeysetOptions,
} from './enumerators/contract/index.js';
export { CsvEnumeratorBuilder, type CsvSource } from './enumerators/csv/csv.enumerator.js';
export { EnumeratorBuilder } from './enumerators/enumerator.builder.js';
export { PrismaEnumeratorBuilder } from './enumerators/prisma/prisma.enumerator.js';
export type { PrismaArgs, PrismaDelegate, PrismaFlags, PrismaRow, PrismaWhere } from './enumerators/prisma/types.js';
export {
  TypeOrmEnumeratorBuilder,
  type TypeOrmRepository,
  type TypeOrmSelect,
} from './enumerators/typeorm/typeorm.enumerator.js';
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
export type { Interruption } from './run/interruption.js';
export type {
  BuildContext,
  IterationContext,
  IterationEvent,
  IterationEvents,
  IterationResult,
  RunEnd,
} from './run/iteration.context.js';
export {
  CreateIterationCheckpoint1795305600000,
  type MigrationRunner,
  type PrismaProvider,
  prismaMigration,
  prismaModel,
} from './transactions/migration.js';
export type { PrismaTransaction, PrismaTransactionClient, PrismaTransactionOf } from './transactions/prisma.client.js';
export { PrismaTransactionHost, type PrismaTransactionOptions } from './transactions/prisma.host.js';
export type { CheckpointKey, Committed, Holder, TransactionHost } from './transactions/transaction.host.js';
export { TypeOrmTransactionHost, type TypeOrmTransactionOptions } from './transactions/typeorm.host.js';
