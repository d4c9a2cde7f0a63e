import type { IterationOptions } from '../../lib/index.js';

/** The configuration that the test gives a worker process. */
export interface WorkerConfig {
  readonly place: object;
  readonly postgresQueue?: boolean;
  readonly databaseUrl?: string;
  /** Where the module of the database, or of another dependency of the handlers, is registered. */
  readonly variant?:
    | 'plain'
    | 'typeorm first'
    | 'typeorm last'
    | 'prisma module'
    | 'own prisma'
    | 'global processor'
    | 'adds'
    | 'two modules';
  readonly items?: number;
  /** Duration of each handler; 0: synchronous and empty. */
  readonly itemMs?: number;
  readonly iteration?: IterationOptions;
  readonly shutdownHooks?: boolean;
  readonly slowBootstrapMs?: number;
  readonly closeAtBootstrap?: boolean;
  /** The handler of the third item closes the application and never returns. */
  readonly hangs?: boolean;
  readonly crashAt?: 'build' | 'floating rejection';
  /** Each job waits at this item until the process gets SIGCONT. */
  readonly waitAt?: number;
  /** Prints its checkpoints, and the time of each item. */
  readonly saysSaves?: boolean;
  /** Prints nothing about single items. */
  readonly quiet?: boolean;
}

export const config = JSON.parse(process.argv[2] as string) as WorkerConfig;

export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
