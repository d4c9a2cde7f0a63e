import { setTimeout as delay } from 'node:timers/promises';
import { Injectable, type Type } from '@nestjs/common';
import {
  type BuildContext,
  BuildEnumerator,
  EachIteration,
  EnumeratorBuilder,
  type IterationContext,
  IterativeProcessor,
  type ProcessorOptions,
} from '../../lib/index.js';

/** What a job of a scene does. */
export type SceneData = {
  readonly size: number;
  /** The items before this one take no time; each of the others takes `itemMs`. */
  readonly quick?: number;
  readonly itemMs?: number;
  /** After each 20 of those, the source takes so long. */
  readonly readMs?: number;
  /** At `quick` the job fails, or asks to be put back. */
  readonly then?: 'fail' | 'retryIn';
  /** Every how many of the quick items fails. */
  readonly badEvery?: number;
};

/** A processor whose jobs stop where their data says, so that a page shows every state. */
export function sceneProcessor(name: string, options: Partial<ProcessorOptions> = {}): Type {
  @Injectable()
  @IterativeProcessor({
    queue: 'maintenance',
    name,
    checkpoint: { everyMs: 200 },
    itemFailure: { then: 'skip', when: (error) => (error as Error).message.startsWith('Customer') },
    ...options,
  })
  class SceneProcessor {
    constructor(private readonly enumerators: EnumeratorBuilder) {}

    @BuildEnumerator()
    build({ data, cursor }: BuildContext<SceneData, number>) {
      return this.enumerators.from(itemsOf(data, cursor), { size: () => data.size });
    }

    @EachIteration()
    each({ id: index }: { id: number }, context: IterationContext<SceneData>): unknown {
      const { quick = Infinity, itemMs = 0, then, badEvery } = context.data;
      if (badEvery && index < quick && index % badEvery === badEvery - 1)
        throw new Error(`Customer ${index} has no address: the field "street" is empty`);
      if (index < quick) return;
      if (then === 'fail') throw new Error(`Mail server answers 550 for item ${index}: mailbox unavailable`);
      if (then === 'retryIn') return context.retryIn(900_000);
      return delay(itemMs);
    }
  }
  return SceneProcessor;
}

async function* itemsOf({ size, quick = Infinity, readMs }: SceneData, cursor: number | null) {
  for (let index = cursor === null ? 0 : cursor + 1; index < size; index++) {
    if (readMs && index > quick && index % 20 === 0) await delay(readMs);
    yield [{ id: index, name: `Ann Example ${index}` }, index] as const;
  }
}

/** By their names. */
export const SCENE_PROCESSORS = Object.fromEntries(
  ['notify-users', 'import-orders', 'reindex-products', 'close-accounts'].map((name) => [name, sceneProcessor(name)]),
);

interface SceneJob {
  readonly id: string;
  readonly name: string;
  readonly data: SceneData;
  readonly ask?: 'pause' | 'cancel';
  readonly until: { readonly state: string; readonly processed: number };
}

const slow = { itemMs: 20, readMs: 150 };

/** One job of each kind, in the order in which they begin. */
export const SCENE: readonly SceneJob[] = [
  {
    id: 'close-accounts-q3',
    name: 'close-accounts',
    data: { size: 1_240 },
    until: { state: 'completed', processed: 1_240 },
  },
  {
    id: 'import-orders-shop-88',
    name: 'import-orders',
    data: { size: 9_000, quick: 3_117, then: 'fail' },
    until: { state: 'failed', processed: 3_117 },
  },
  {
    id: 'reindex-products-de',
    name: 'reindex-products',
    data: { size: 20_000, quick: 11_400, then: 'retryIn' },
    until: { state: 'interrupted', processed: 11_401 },
  },
  {
    id: 'close-accounts-q4',
    name: 'close-accounts',
    data: { size: 1_800, quick: 620, ...slow },
    ask: 'cancel',
    until: { state: 'cancelled', processed: 620 },
  },
  {
    id: 'reindex-products-fr',
    name: 'reindex-products',
    data: { size: 16_000, quick: 6_050, ...slow },
    ask: 'pause',
    until: { state: 'paused', processed: 6_050 },
  },
  {
    id: 'import-orders-shop-91',
    name: 'import-orders',
    data: { size: 14_000, quick: 4_830, badEvery: 900, ...slow },
    until: { state: 'running', processed: 4_830 },
  },
  {
    id: 'notify-2026-11',
    name: 'notify-users',
    data: { size: 48_000, quick: 31_900, ...slow },
    until: { state: 'running', processed: 31_930 },
  },
];
