/** Compiled by `npm run types`, never executed: the type of `context.transaction` comes from the processor's host. */
import type { DataSource, EntityManager } from 'typeorm';
import {
  AroundIteration,
  type BuildContext,
  BuildEnumerator,
  EachIteration,
  type EnumeratorBuilder,
  type IterationContext,
  IterativeProcessor,
  OnIteration,
  PrismaTransactionHost,
  type TransactionHost,
  TypeOrmTransactionHost,
} from '../../lib/index.js';
import { type Prisma, PrismaClient } from '../support/prisma/generated/client.js';

type Equal<One, Other> = (<T>() => T extends One ? 1 : 2) extends <T>() => T extends Other ? 1 : 2 ? true : false;
declare function same<_Verdict extends true>(): void;
declare const enumerators: EnumeratorBuilder;

class Numbers {
  @BuildEnumerator()
  build({ cursor }: BuildContext) {
    return enumerators.array([1, 2], { cursor });
  }
}

class PrismaService extends PrismaClient {}
class Transactions extends PrismaTransactionHost<PrismaService> {}
const extended = (prisma: PrismaClient) =>
  prisma.$extends({ model: { post: { publish: async () => 1 } }, client: { $ping: () => true } });
type Extended = ReturnType<typeof extended>;
class ExtendedTransactions extends PrismaTransactionHost<Extended> {}
/** A host for another database library. */
abstract class OwnHost implements TransactionHost<{ readonly session: string }> {
  abstract run<Result>(work: (transaction: { readonly session: string }) => Promise<Result>): Promise<Result>;
  abstract claim: TransactionHost<{ readonly session: string }>['claim'];
  abstract save: TransactionHost<{ readonly session: string }>['save'];
  abstract read: TransactionHost<{ readonly session: string }>['read'];
  abstract remove: TransactionHost<{ readonly session: string }>['remove'];
  abstract isTransient(error: unknown): boolean;
}

// -------------------------------------------------------------------------------------------- transactions of handlers

class WantsManager extends Numbers {
  @EachIteration()
  async each(item: number, { transaction }: IterationContext<unknown, EntityManager>) {
    await transaction.query('SELECT $1', [item]);
  }
}

class WantsPrisma extends Numbers {
  @EachIteration()
  async each(id: number, { transaction }: IterationContext<unknown, Prisma.TransactionClient>) {
    await transaction.author.findUnique({ where: { id } });
  }
}

class WantsExtended extends Numbers {
  @EachIteration()
  async each(
    _item: number,
    context: IterationContext<unknown, Parameters<Parameters<Extended['$transaction']>[0]>[0]>,
  ) {
    await context.transaction.post.publish();
  }
}

class WantsNone extends Numbers {
  @EachIteration()
  each(item: number, { processed }: IterationContext) {
    return item + processed;
  }
}

class HookWantsManager extends WantsNone {
  @OnIteration('complete')
  async complete({ transaction }: IterationContext<unknown, EntityManager>) {
    await transaction.query('SELECT 1');
  }
}

class AroundWantsPrisma extends WantsNone {
  @AroundIteration()
  async around(_context: IterationContext<unknown, Prisma.TransactionClient>, next: () => Promise<void>) {
    await next();
  }
}

class WantsOwn extends Numbers {
  @EachIteration()
  each(_item: number, { transaction }: IterationContext<unknown, { readonly session: string }>) {
    return transaction.session;
  }
}

// ------------------------------------------------------------------------------------------------------------- TypeORM

@IterativeProcessor({ queue: 'jobs', transactions: TypeOrmTransactionHost })
export class ManagerOfTypeOrm extends WantsManager {}

@IterativeProcessor({ queue: 'jobs', transactions: TypeOrmTransactionHost, itemsPerTransaction: 100 })
export class NoneOfTypeOrm extends WantsNone {}

@IterativeProcessor({ queue: 'jobs', transactions: TypeOrmTransactionHost })
export class HookOfTypeOrm extends HookWantsManager {}

// @ts-expect-error the handler wants a Prisma client
@IterativeProcessor({ queue: 'jobs', transactions: TypeOrmTransactionHost })
export class PrismaOfTypeOrm extends WantsPrisma {}

// @ts-expect-error the wrapper wants a Prisma client
@IterativeProcessor({ queue: 'jobs', transactions: TypeOrmTransactionHost })
export class AroundOfTypeOrm extends AroundWantsPrisma {}

// -------------------------------------------------------------------------------------------------------------- Prisma

@IterativeProcessor({ queue: 'jobs', transactions: Transactions })
export class ClientOfSubclass extends WantsPrisma {}

@IterativeProcessor({ queue: 'jobs', transactions: Transactions })
export class AroundOfSubclass extends AroundWantsPrisma {}

@IterativeProcessor({ queue: 'jobs', transactions: ExtendedTransactions })
export class ClientOfExtended extends WantsExtended {}

@IterativeProcessor({ queue: 'jobs', transactions: PrismaTransactionHost })
export class ClientOfGeneric extends WantsPrisma {}

@IterativeProcessor({ queue: 'jobs', transactions: PrismaTransactionHost })
export class ExtendedOfGeneric extends WantsExtended {}

@IterativeProcessor({ queue: 'jobs', transactions: PrismaTransactionHost })
export class NoneOfGeneric extends WantsNone {}

// @ts-expect-error the handler wants an EntityManager
@IterativeProcessor({ queue: 'jobs', transactions: Transactions })
export class ManagerOfSubclass extends WantsManager {}

// @ts-expect-error the client is not extended
@IterativeProcessor({ queue: 'jobs', transactions: Transactions })
export class ExtendedOfSubclass extends WantsExtended {}

// @ts-expect-error the handler wants an EntityManager
@IterativeProcessor({ queue: 'jobs', transactions: PrismaTransactionHost })
export class ManagerOfGeneric extends WantsManager {}

// @ts-expect-error the hook wants an EntityManager
@IterativeProcessor({ queue: 'jobs', transactions: PrismaTransactionHost })
export class HookOfGeneric extends HookWantsManager {}

// ----------------------------------------------------------------------------------------------- other tokens, or none

@IterativeProcessor({ queue: 'jobs', transactions: OwnHost })
export class OwnOfOwn extends WantsOwn {}

// @ts-expect-error the host gives a session
@IterativeProcessor({ queue: 'jobs', transactions: OwnHost })
export class ManagerOfOwn extends WantsManager {}

@IterativeProcessor({ queue: 'jobs', transactions: 'TRANSACTIONS' })
export class ManagerOfString extends WantsManager {}

@IterativeProcessor({ queue: 'jobs', transactions: Symbol('transactions') })
export class ClientOfSymbol extends WantsPrisma {}

// @ts-expect-error no transactions are set
@IterativeProcessor({ queue: 'jobs' })
export class ManagerOfNone extends WantsManager {}

// @ts-expect-error no transactions are set
@IterativeProcessor('jobs')
export class ClientOfNone extends WantsPrisma {}

@IterativeProcessor('jobs')
export class NoneOfNone extends WantsNone {}

// @ts-expect-error the class is not a transaction host
@IterativeProcessor({ queue: 'jobs', transactions: PrismaService })
export class OfNoHost extends WantsNone {}

// -------------------------------------------------------------------------------------------------------- constructors

declare const source: DataSource;
declare const prisma: PrismaClient;
declare const service: PrismaService;
export const made = () => [
  new TypeOrmTransactionHost(source),
  new TypeOrmTransactionHost(source, { isolation: 'SERIALIZABLE' }),
  // @ts-expect-error the option does not exist
  new TypeOrmTransactionHost(source, { isolationLevel: 'SERIALIZABLE' }),
  // @ts-expect-error the level does not exist
  new TypeOrmTransactionHost(source, { isolation: 'Serializable' }),
  // @ts-expect-error a Prisma client is not a DataSource
  new TypeOrmTransactionHost(prisma),
  new PrismaTransactionHost(prisma, { isolationLevel: 'Serializable', timeoutMs: 1_000, maxWaitMs: 1_000 }),
  new Transactions(service),
  new ExtendedTransactions(extended(prisma)),
  // @ts-expect-error the option does not exist
  new PrismaTransactionHost(prisma, { timeout: 1_000 }),
  // @ts-expect-error a DataSource is not a Prisma client
  new PrismaTransactionHost(source),
  // @ts-expect-error another client
  new ExtendedTransactions(prisma),
];

const generic = new PrismaTransactionHost(prisma);
export const ran = () =>
  generic.run(async (transaction) => {
    same<Equal<typeof transaction, Prisma.TransactionClient>>();
    return 1;
  });
same<Equal<ReturnType<typeof ran>, Promise<number>>>();
