import { Inject } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import {
  type BuildContext,
  BuildEnumerator,
  EachIteration,
  EnumeratorBuilder,
  type Interruption,
  type IterationContext,
  IterativeProcessor,
  OnIteration,
  type PrismaTransaction,
  PrismaTransactionHost,
  type RunEnd,
  TypeOrmTransactionHost,
} from '../../lib/index.js';
import { chanceOf } from '../support/random.js';
import { LedgerPool, PrismaService } from './connections.js';
import { LEDGER_INSERT, type LedgerEntry, valuesOf } from './ledger.js';
import { type ChaosItem, sourceOf, spanOf } from './sources.js';
import { type ChaosData, config } from './worker.config.js';

const { itemsPerTransaction, worker } = config;

type Context<Transaction = never> = IterationContext<ChaosData, Transaction>;

/** Writes every event of its runs to the ledger. The subclasses write the effects. */
abstract class Chaos<Transaction = never> {
  /** The id of each run, by its signal. */
  readonly #runs = new WeakMap<AbortSignal, string>();
  #begun = 0;

  @Inject(EnumeratorBuilder) private readonly enumerators!: EnumeratorBuilder;
  @Inject(DataSource) private readonly typeorm!: DataSource;
  @Inject(PrismaService) private readonly prisma!: PrismaService;
  @Inject(LedgerPool) private readonly pool!: LedgerPool;

  @BuildEnumerator()
  async build(context: BuildContext<ChaosData>) {
    const { data, cursor } = context;
    this.noteLostLock(context);
    await this.write(this.entry(context, 'build', JSON.stringify(cursor)));
    const { enumerators, typeorm, prisma, pool } = this;
    return sourceOf(data.kind, data.size, {
      enumerators,
      typeorm,
      prisma,
      pool,
      csv: config.csv,
      cursor: cursor as never,
    });
  }

  @EachIteration()
  async each(item: ChaosItem, context: Context<Transaction>): Promise<void> {
    const { itemMs, errorRate } = context.data;
    const span = spanOf(item);
    const chance = chanceOf(config.seed, context.job.id as string, span.first, context.run);
    await new Promise((resolve) => setTimeout(resolve, itemMs)); // the item's work
    const throws = chance < errorRate;
    // In a transaction, half of the errors are thrown after the effect, which must be rolled back.
    if (!throws || (config.transactions !== 'none' && chance < errorRate / 2))
      await this.affect({ ...this.entry(context, 'item', null), ...span }, context);
    if (!throws) return;
    await this.write({ ...this.entry(context, 'error', null), ...span });
    throw new Error(`chaos at ${span.first}`);
  }

  @OnIteration('start') start(context: Context) {
    return this.write(this.entry(context, 'start', null));
  }
  @OnIteration('resume') resume(context: Context) {
    return this.write(this.entry(context, 'resume', null));
  }
  @OnIteration('interrupt') interrupt(context: Context, { reason }: Interruption) {
    return this.write(this.entry(context, 'interrupt', reason));
  }
  @OnIteration('complete') complete(context: Context) {
    return this.write(this.entry(context, 'complete', null));
  }
  @OnIteration('fail') fail(context: Context, { error }: { readonly error: unknown }) {
    return this.write(this.entry(context, 'fail', String(error)));
  }
  @OnIteration('cancel') cancel(context: Context) {
    return this.write(this.entry(context, 'cancel', null));
  }
  @OnIteration('end') end(context: Context, { outcome }: RunEnd) {
    return this.write(this.entry(context, 'end', outcome));
  }

  protected abstract affect(entry: LedgerEntry, context: Context<Transaction>): PromiseLike<unknown>;

  protected async write(entry: LedgerEntry): Promise<void> {
    await this.pool.query(LEDGER_INSERT, valuesOf(entry));
  }

  private noteLostLock(context: BuildContext<ChaosData>): void {
    const note = () => {
      if (!/lock .* lost/.test(String(context.signal.reason))) return; // the deadline of a shutdown
      this.write(this.entry(context, 'lost', null)).catch(() => {}); // the process may be about to end
    };
    context.signal.addEventListener('abort', note, { once: true });
  }

  private entry(
    { job, signal }: BuildContext<ChaosData>,
    type: LedgerEntry['type'],
    detail: string | null,
  ): LedgerEntry {
    const run = this.#runs.get(signal) ?? `${worker}/${++this.#begun}`;
    this.#runs.set(signal, run);
    return { type, job: job.id as string, run, worker, first: null, last: null, detail };
  }
}

@IterativeProcessor({ queue: 'chaos' })
export class PlainChaos extends Chaos {
  protected affect(entry: LedgerEntry): Promise<void> {
    return this.write(entry);
  }
}

@IterativeProcessor({ queue: 'chaos', transactions: TypeOrmTransactionHost, itemsPerTransaction })
export class TypeOrmChaos extends Chaos<EntityManager> {
  protected affect(entry: LedgerEntry, { transaction }: Context<EntityManager>): Promise<unknown> {
    return transaction.query(LEDGER_INSERT, valuesOf(entry));
  }
}

@IterativeProcessor({ queue: 'chaos', transactions: PrismaTransactionHost, itemsPerTransaction })
export class PrismaChaos extends Chaos<PrismaTransaction> {
  protected affect(entry: LedgerEntry, { transaction }: Context<PrismaTransaction>): PromiseLike<unknown> {
    return transaction.$executeRawUnsafe(LEDGER_INSERT, ...valuesOf(entry));
  }
}
