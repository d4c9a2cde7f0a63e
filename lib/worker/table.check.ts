import type { QueueProcessors } from '../discovery/index.js';
import { InvalidOptionsError } from '../iteration.errors.js';

/** A database that does not answer keeps no application from starting. */
const ANSWER_MS = 5_000;

/**
 * Asks each transaction host for a checkpoint that is not there.
 *
 * @throws InvalidOptionsError when its table is missing. Whatever else is wrong is left to the first job.
 */
export async function checkTables(all: readonly QueueProcessors[]): Promise<void> {
  const hosts = new Set(
    all.flatMap(({ definitions }) => definitions.flatMap(({ transactions }) => transactions ?? [])),
  );
  const nowhere = { prefix: '', queue: '', jobId: '', jobTimestamp: 0 };
  const checks = [...hosts].map(async (host) => {
    try {
      await host.read(nowhere, { life: 0, run: 0 });
    } catch (error) {
      if (error instanceof InvalidOptionsError) throw error;
    }
  });
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ANSWER_MS);
  });
  await Promise.race([Promise.all(checks), tooLate]).finally(() => clearTimeout(timer));
}
