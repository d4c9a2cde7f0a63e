import type { IterationOptions } from '../../lib/index.js';
import type { Kind } from './sources.js';

export type Transactions = 'none' | 'typeorm' | 'prisma';

/** The configuration of a worker process. */
export interface ChaosWorkerConfig {
  /** Name of the worker in the ledger. */
  readonly worker: string;
  readonly seed: number;
  readonly place: object;
  readonly backend: 'redis' | 'postgres';
  readonly transactions: Transactions;
  readonly itemsPerTransaction?: number;
  readonly databaseUrl: string;
  readonly csv: string;
  readonly iteration: IterationOptions;
}

/** The data of each job. */
export type ChaosData = {
  readonly kind: Kind;
  /** Number of parts, for a job in parts. */
  readonly parts?: number;
  /** Records whose handler always throws. */
  readonly bad?: readonly number[];
  readonly size: number;
  readonly itemMs: number;
  /** Share of the tries that throw: 0 to 1. */
  readonly errorRate: number;
};

/** The configuration of this process. */
export const config = JSON.parse(process.argv[2] ?? '{}') as ChaosWorkerConfig;
