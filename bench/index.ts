/**
 * Runs every bench, or those that the arguments name, one after the other, each in its own process. Starts the servers
 * that the environment does not name. All benches together take most of an hour, and write RESULTS.md after each bench.
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import startServers from '../test/support/servers.js';
import type { Figure } from './figure.js';
import { asTable, writeResults } from './results.js';

/** In the order of the table. */
const BENCHES = [
  'keyset',
  'array',
  'in-flight',
  'typeorm',
  'prisma',
  'csv',
  'csv-parts',
  'parts',
  'job-per-record',
  'guarantees',
  'memory',
  'shutdown',
  'growth',
  'growth-jobs',
  'side-by-side',
  'read-ahead',
  'hooks',
  'step-pattern',
  'offset',
  'typeorm-pages',
  'transactions',
  'failures',
  'bulk',
  'many-parts',
  'scale',
];

const stopServers = await startServers();
try {
  const named = process.argv.slice(2);
  const figures: Figure[] = [];
  for (const bench of named.length > 0 ? named : BENCHES) {
    console.log(`\n${bench}`);
    const { code, figures: printed } = await run(bench);
    figures.push(...printed);
    if (named.length === 0) await writeResults(figures);
    if (code === 0) continue;
    console.error(`${bench} ended with ${code}`);
    process.exitCode = 1;
  }
  console.log(`\n${asTable(figures)}`);
} finally {
  await stopServers();
}

/** Runs a bench to its end. Figures that it reported before it failed are kept. */
function run(bench: string): Promise<{ code: number | null; figures: Figure[] }> {
  const figures: Figure[] = [];
  const child = fork(fileURLToPath(new URL(`./${bench}.js`, import.meta.url)), { execArgv: ['--expose-gc'] });
  child.on('message', (figure: Figure) => figures.push(figure));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => resolve({ code, figures }));
  });
}
