import type { Abstract, InjectionToken, Type } from '@nestjs/common';
import type { TransactionHost } from '../definition/index.js';
import type { PrismaTransactionHost } from '../exactly-once/prisma/index.js';
import type { ProcessorOptions } from '../iteration.options.js';
import { markProcessor } from './metadata.js';
import type { Uses, UsesPrisma } from './processor.types.js';

/** The class of a processor. */
type Processor<P> = abstract new (...args: never[]) => P;

/**
 * Makes a provider the processor of a queue's jobs: of those named `name`, or of all.
 *
 * A plain provider: no base class. `@IterativeProcessor('queue')` is short for `{ queue: 'queue' }`. The class has one
 * `@BuildEnumerator` and one `@EachIteration`; misuse fails when the application starts. The type of
 * `context.transaction` follows from the class of `transactions`. With a string or a symbol as token it is not checked.
 */
export function IterativeProcessor(
  options: ProcessorOptions & { transactions: typeof PrismaTransactionHost },
): <P extends UsesPrisma<P>>(target: Processor<P>) => void;
export function IterativeProcessor<Transaction>(
  options: ProcessorOptions & {
    transactions: Type<TransactionHost<Transaction>> | Abstract<TransactionHost<Transaction>>;
  },
): <P extends Uses<P, Transaction>>(target: Processor<P>) => void;
export function IterativeProcessor(options: ProcessorOptions & { transactions: string | symbol }): ClassDecorator;
/** Options whose type does not say whether they have `transactions`. */
export function IterativeProcessor<Options extends ProcessorOptions>(
  options: Options &
    ('transactions' extends keyof Options ? (InjectionToken extends Options['transactions'] ? unknown : never) : never),
): ClassDecorator;
export function IterativeProcessor(
  options: string | (ProcessorOptions & { transactions?: undefined }),
): <P extends Uses<P, 'none: set transactions'>>(target: Processor<P>) => void;
export function IterativeProcessor(options: string | ProcessorOptions): (target: object) => void {
  return (target) => markProcessor(target, options);
}
