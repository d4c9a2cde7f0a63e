import type { IterationOptions } from '../../lib/index.js';

/** What a worker process is told by its test. */
export interface WorkerConfig {
  readonly place: object;
  readonly postgresQueue?: boolean;
  readonly databaseUrl?: string;
  /** Where the database, or whatever handlers use, stands among the modules. */
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
  /** Of each handler; 0: synchronous and empty. */
  readonly itemMs?: number;
  readonly iteration?: IterationOptions;
  readonly shutdownHooks?: boolean;
  readonly slowBootstrapMs?: number;
  readonly closeAtBootstrap?: boolean;
  /** The handler of the third item never returns, and the application is closed then. */
  readonly hangs?: boolean;
  readonly crashAt?: 'build' | 'floating rejection';
  /** Each job waits at this item until the process is sent SIGCONT. */
  readonly waitAt?: number;
  /** Its checkpoints are said, and with each item its time. */
  readonly saysSaves?: boolean;
  /** Nothing is said of single items. */
  readonly quiet?: boolean;
}

export const config = JSON.parse(process.argv[2] as string) as WorkerConfig;

export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
