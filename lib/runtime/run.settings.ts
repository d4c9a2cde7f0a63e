import type { Job } from 'bullmq';
import type { SettingsInForce, TunedSettings } from '../checkpoint/index.js';
import { redriveOf } from '../dead-letters/index.js';
import type { ProcessorDefinition } from '../definition/index.js';

interface TunedRun {
  readonly definition: Pick<ProcessorDefinition, 'options' | 'partition' | 'transactions'>;
  readonly job: Pick<Job, 'opts'>;
  readonly control: { readonly tuned: TunedSettings };
  readonly limits?: { readonly itemConcurrency: number } | undefined;
}

/** The settings of a run: its processor's, and what operators have made of them since (R31). */
export class RunSettings {
  /** Of the source, where it has batches. Set when the source is open. */
  ownBatchSize: number | undefined;

  constructor(private readonly run: TunedRun) {}

  /** 1 where items must be handled one after another: an item's transaction, or a dead letter, ends before the next begins. */
  get itemConcurrency(): number {
    const { control, definition, limits } = this.run;
    if (this.#isSequential) return 1;
    if (limits) return limits.itemConcurrency;
    return control.tuned.itemConcurrency ?? definition.options.itemConcurrency;
  }

  /** Infinity: no limit. */
  get itemsPerSecond(): number {
    const { itemsPerSecond } = this.run.control.tuned;
    return itemsPerSecond === null ? Infinity : (itemsPerSecond ?? this.run.definition.options.itemsPerSecond);
  }

  /** Undefined: the source's own. */
  get batchSize(): number | undefined {
    return this.run.control.tuned.batchSize;
  }

  get #isSequential(): boolean {
    const { definition, job } = this.run;
    return definition.transactions !== undefined || redriveOf(job) !== undefined;
  }

  /** `itemConcurrency` limits all parts together, also where each handles one item after another. */
  get #isSplit(): boolean {
    const { definition, job, limits } = this.run;
    return definition.partition !== undefined && !limits && redriveOf(job) === undefined;
  }

  /** A number of the source's own batches, in batches of the size that is in force. */
  inBatches(count: number): number {
    const { batchSize, ownBatchSize } = this;
    return batchSize && ownBatchSize ? Math.ceil((count * ownBatchSize) / batchSize) : count;
  }

  get inForce(): SettingsInForce {
    const { itemConcurrency, itemsPerSecond, ownBatchSize } = this;
    return {
      itemConcurrency,
      itemsPerSecond: itemsPerSecond === Infinity ? undefined : itemsPerSecond,
      batchSize: ownBatchSize && (this.batchSize ?? ownBatchSize),
      isSequential: (this.#isSequential && !this.#isSplit) || undefined,
    };
  }
}
