/**
 * Workers of one queue are killed, frozen, terminated and cut off from Redis, at random. Then the checker checks the
 * contract from the ledger that they wrote.
 *
 * `--seed 7`, `--minutes 10`, `--backend redis|postgres`, `--transactions none|typeorm|prisma`,
 * `--items-per-transaction 1`, `--workers 4`, and `--keep` to keep the ledger of a run without a breach.
 * `--jobs all`: every third job is in parts, in which `--transactions` changes nothing; `parted`: each one; `whole`: none.
 */
import { parseArgs } from 'node:util';
import startServers from '../support/servers.js';
import { runChaos } from './chaos.js';
import { LONG } from './options.js';
import { report } from './report.js';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Date.now() % 100_000) },
    minutes: { type: 'string', default: '10' },
    backend: { type: 'string', default: 'redis' },
    jobs: { type: 'string', default: LONG.jobs },
    transactions: { type: 'string', default: 'none' },
    'items-per-transaction': { type: 'string', default: '1' },
    workers: { type: 'string', default: String(LONG.workers) },
    keep: { type: 'boolean', default: false },
  },
});
const seed = Number(values.seed);
console.log(
  `chaos of seed ${seed}: ${values.minutes} minutes on ${values.backend}, jobs: ${values.jobs}, transactions: ${values.transactions}`,
);

process.once('SIGINT', () => process.exit(130)); // the exit ends all started processes
process.once('SIGTERM', () => process.exit(143));
const stopServers = await startServers();
try {
  const outcome = await runChaos({
    ...LONG,
    seed,
    durationMs: Number(values.minutes) * 60_000,
    workers: Number(values.workers),
    backend: oneOf('backend', values.backend, ['redis', 'postgres']),
    jobs: oneOf('jobs', values.jobs, ['all', 'parted', 'whole']),
    transactions: oneOf('transactions', values.transactions, ['none', 'typeorm', 'prisma']),
    itemsPerTransaction: Number(values['items-per-transaction']),
    print: console.log,
    keep: values.keep,
    program: new URL('worker.js', import.meta.url),
  });
  report(outcome);
  if (outcome.breaches.length > 0) process.exitCode = 1;
} finally {
  await stopServers();
}

function oneOf<const T extends string>(name: string, value: string, known: readonly T[]): T {
  const found = known.find((one) => one === value);
  if (found === undefined) throw new Error(`--${name} is "${value}"; it must be one of ${known.join(', ')}`);
  return found;
}
