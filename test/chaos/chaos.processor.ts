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
import { type PartValue, partSourceOf } from './parted.js';
import { type ChaosItem, type Surroundings, sourceOf, spanOf } from './sources.js';
import { type ChaosData, config } from './worker.config.js';

const { itemsPerTransaction, worker } = config;

export type Context<Transaction = never> = IterationContext<ChaosData, Transaction>;

/** Writes every event of its runs to the ledger. The subclasses write the effects. */
export abstract class Chaos<Transaction = never> {
  /** The id of each run, by its signal. */
  readonly #runs = new WeakMap<AbortSignal, string>();
  #begun = 0;
  /** Whether an effect is rolled back when its handler throws. */
  protected readonly isTransactional: boolean = false;

  @Inject(EnumeratorBuilder) private readonly enumerators!: EnumeratorBuilder;
  @Inject(DataSource) private readonly typeorm!: DataSource;
  @Inject(PrismaService) private readonly prisma!: PrismaService;
  @Inject(LedgerPool) private readonly pool!: LedgerPool;

  @BuildEnumerator()
  async build(context: BuildContext<ChaosData>) {
    const { data, cursor, part } = context;
    this.noteLostLock(context);
    await this.write(this.entry(context, 'build', JSON.stringify(cursor)));
    const at = { ...this.surroundings, cursor: cursor as never };
    if (part !== undefined) return partSourceOf(part as unknown as PartValue, data, at);
    return sourceOf(data.kind, data.size, at);
  }

  @EachIteration()
  async each(item: ChaosItem, context: Context<Transaction>): Promise<void> {
    const { bad = [], itemMs, errorRate } = context.data;
    const span = spanOf(item);
    const chance = chanceOf(config.seed, context.job.id as string, span.first, context.run);
    await new Promise((resolve) => setTimeout(resolve, itemMs)); // the item's work
    const isBad = bad.includes(span.first);
    const throws = chance < errorRate || isBad;
    // In a transaction, half of the errors are thrown after the effect, which must be rolled back.
    if (!throws || (this.isTransactional && chance < errorRate / 2))
      await this.affect({ ...this.entry(context, 'item', null), ...span }, context);
    if (!throws) return;
    await this.write({ ...this.entry(context, 'error', null), ...span });
    throw new Error(`${isBad ? 'bad record' : 'chaos at'} ${span.first}`);
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

  protected get surroundings(): Surroundings {
    const { enumerators, typeorm, prisma, pool } = this;
    return { enumerators, typeorm, prisma, pool, csv: config.csv };
  }

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

  protected entry(
    { job, part, signal }: Pick<BuildContext<ChaosData>, 'job' | 'part' | 'signal'>,
    type: LedgerEntry['type'],
    detail: string | null,
  ): LedgerEntry {
    const run = this.#runs.get(signal) ?? `${worker}/${++this.#begun}`;
    this.#runs.set(signal, run);
    const { index: ofPart } = (part ?? {}) as Partial<PartValue>;
    const whole = { parent: ofPart === undefined ? null : (job.parent?.id ?? null), part: ofPart ?? null };
    return { type, job: job.id as string, ...whole, run, worker, first: null, last: null, detail };
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
  protected override readonly isTransactional = true;

  protected affect(entry: LedgerEntry, { transaction }: Context<EntityManager>): Promise<unknown> {
    return transaction.query(LEDGER_INSERT, valuesOf(entry));
  }
}

@IterativeProcessor({ queue: 'chaos', transactions: PrismaTransactionHost, itemsPerTransaction })
export class PrismaChaos extends Chaos<PrismaTransaction> {
  protected override readonly isTransactional = true;

  protected affect(entry: LedgerEntry, { transaction }: Context<PrismaTransaction>): PromiseLike<unknown> {
    return transaction.$executeRawUnsafe(LEDGER_INSERT, ...valuesOf(entry));
  }
}
