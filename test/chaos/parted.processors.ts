import type { EntityManager } from 'typeorm';
import {
  BuildPartitions,
  IterativeProcessor,
  type PartitionsContext,
  TypeOrmTransactionHost,
} from '../../lib/index.js';
import { chanceOf } from '../support/random.js';
import { Chaos, type Context } from './chaos.processor.js';
import { LEDGER_INSERT, type LedgerEntry, valuesOf } from './ledger.js';
import { PARTED, partsOf } from './parted.js';
import { type ChaosData, config } from './worker.config.js';

/** How long splitting a job takes at most, so that kills and requests hit it. */
const SPLIT_MS = 1_500;

/** A job in parts. */
abstract class Parted<Transaction = never> extends Chaos<Transaction> {
  @BuildPartitions()
  async split(context: PartitionsContext<ChaosData>) {
    const parts = await partsOf(context.data, this.surroundings);
    await this.write(this.entry(context, 'split', String(parts.length)));
    const splitMs = SPLIT_MS * chanceOf(config.seed, context.job.id as string, 'split') ** 2;
    await new Promise((resolve) => setTimeout(resolve, splitMs));
    return parts;
  }
}

abstract class PlainParted extends Parted {
  protected affect(entry: LedgerEntry): Promise<void> {
    return this.write(entry);
  }
}

@IterativeProcessor({ queue: 'chaos', name: PARTED.plain })
export class FailingParts extends PlainParted {}

@IterativeProcessor({ queue: 'chaos', name: PARTED.continuing, partFailure: 'continue' })
export class ContinuingParts extends PlainParted {}

@IterativeProcessor({
  queue: 'chaos',
  name: PARTED.skipping,
  itemFailure: { attempts: 2, backoffMs: 5, then: 'skip', when: (error) => /^bad/.test((error as Error).message) },
})
export class SkippingParts extends PlainParted {}

@IterativeProcessor({
  queue: 'chaos',
  name: PARTED.once,
  transactions: TypeOrmTransactionHost,
  itemsPerTransaction: config.itemsPerTransaction,
})
export class ExactlyOnceParts extends Parted<EntityManager> {
  protected override readonly isTransactional = true;

  protected affect(entry: LedgerEntry, { transaction }: Context<EntityManager>): Promise<unknown> {
    return transaction.query(LEDGER_INSERT, valuesOf(entry));
  }
}
