import type { IterationOptions } from '../../lib/index.js';
import type { Kind } from './sources.js';

export type Transactions = 'none' | 'typeorm' | 'prisma';

/** What a worker process is told. */
export interface ChaosWorkerConfig {
  /** Its name in the ledger. */
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

/** Of each job. */
export type ChaosData = {
  readonly kind: Kind;
  readonly size: number;
  readonly itemMs: number;
  /** Of how many tries one throws: 0 to 1. */
  readonly errorRate: number;
};

/** This process's. */
export const config = JSON.parse(process.argv[2] ?? '{}') as ChaosWorkerConfig;
