import { mkdtempSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type IterationOptions, prismaMigration } from '../../lib/index.js';
import { createDatabase } from '../support/database.js';
import { type Checked, check } from './checker/check.js';
import type { Rules } from './checker/story.js';
import { keepEvidence } from './evidence.js';
import { Fleet } from './fleet.js';
import { LEDGER_SELECT, LEDGER_TABLE, type LedgerRow, type RecordRow } from './ledger.js';
import { Operators } from './operators.js';
import { LastingRedis } from './redis.js';
import { type Disturbance, type ScheduleOptions, schedule } from './schedule.js';
import { CSV, FILL_ENTRIES } from './sources.js';
import { openWeb } from './web.js';
import type { Transactions } from './worker.config.js';
import { Workload, type WorkloadOptions } from './workload.js';

export interface ChaosOptions extends Omit<ScheduleOptions, 'slots'> {
  readonly backend: 'redis' | 'postgres';
  readonly transactions: Transactions;
  readonly itemsPerTransaction?: number;
  /** Whether jobs are split into parts: some of them, all or none. */
  readonly jobs: WorkloadOptions['jobs'];
  readonly workers: number;
  /** Web processes that control the jobs. */
  readonly operators: number;
  /** Average milliseconds between the requests of an operator. */
  readonly asksEveryMs: number;
  readonly iteration: IterationOptions;
  /** Records of the largest job. */
  readonly largest?: number;
  readonly leastJobs?: WorkloadOptions['leastJobs'];
  /** How long the last jobs may take after the last disturbance. */
  readonly graceMs: number;
  /** Called every minute with a line about the progress. */
  readonly print?: (line: string) => void;
  /** Keeps the ledger even when there is no breach. */
  readonly keep?: boolean;
  /** The compiled `worker.ts`. */
  readonly program: URL;
}

export interface ChaosOutcome extends Checked {
  /** Directory of the ledger, the record and the workers' log, if they were kept. */
  readonly evidence: string | undefined;
}

/** How often the progress is printed. */
const PRINT_MS = 60_000;
/** Pause between searches for a worker, so that workers that have just become ready are not all hit at once. */
const LOOK_FOR_WORKER_MS = 500;

/**
 * Runs jobs on workers that are killed, frozen, terminated and cut off from Redis, and checks the ledger that the
 * workers wrote.
 */
export async function runChaos(options: ChaosOptions): Promise<ChaosOutcome> {
  const directory = mkdtempSync(join(tmpdir(), 'iteration-chaos-'));
  const database = await createDatabase();
  const redis = options.backend === 'redis' ? await LastingRedis.start() : undefined;
  try {
    await database.query(LEDGER_TABLE);
    const schema = new URL('test/support/prisma/schema.sql', await projectRoot());
    await database.query(await readFile(schema, 'utf8'));
    await database.query(FILL_ENTRIES);
    await database.query(prismaMigration('postgresql'));
    writeFileSync(join(directory, 'entries.csv'), CSV);

    const record: RecordRow[] = [];
    const printing = setInterval(() => options.print?.(progressOf(record)), PRINT_MS);
    await disturbWorkers({
      ...options,
      directory,
      databaseUrl: database.url,
      redis,
      record: (row) => record.push(row),
    }).finally(() => clearInterval(printing));
    const ledger = await database.query<LedgerRow>(LEDGER_SELECT);
    const checked = check({ ledger, record, rules: rulesOf(options) });
    const { breaches } = checked;
    return { ...checked, evidence: keepEvidence(directory, { ledger, record, breaches, keep: options.keep }) };
  } finally {
    await redis?.remove();
    await database.drop();
  }
}

function progressOf(record: readonly RecordRow[]): string {
  const count = (type: RecordRow['type']) => record.filter((row) => row.type === type).length;
  const minutes = Math.round((Date.now() - (record[0]?.at ?? Date.now())) / 60_000);
  return `minute ${minutes}: ${count('kill')} kills, ${count('freeze')} freezes, ${count('settled')} jobs have ended`;
}

function rulesOf({ iteration, transactions }: ChaosOptions): Rules {
  return {
    checkpointMs: iteration.checkpoint?.everyMs ?? 1_000,
    lockMs: iteration.worker?.lockDuration ?? 7_000,
    exactlyOnce: transactions !== 'none',
  };
}

interface Surroundings {
  readonly directory: string;
  readonly databaseUrl: string;
  readonly redis: LastingRedis | undefined;
  readonly record: (row: RecordRow) => void;
}

async function disturbWorkers(options: ChaosOptions & Surroundings): Promise<void> {
  const {
    asksEveryMs: everyMs,
    backend,
    databaseUrl,
    directory,
    durationMs,
    operators,
    program,
    redis,
    seed,
  } = options;
  const place = redis
    ? { connection: redis.connection }
    : { connection: { connectionString: databaseUrl, schema: 'queue', max: 4, migrate: true } };
  const web = await openWeb({ place, backend });
  const record = (row: RecordRow) => {
    options.record(row);
    if (row.type === 'answer' && row.request === 'restart' && row.outcome !== 'refused') workload?.reopen(row.job);
  };
  let workload: Workload | undefined;
  const fleet = new Fleet({
    slots: options.workers,
    program,
    config: { ...configOf(options), place, backend, databaseUrl, csv: join(directory, 'entries.csv') },
    log: join(directory, 'workers.log'),
    record,
  });
  let restarts = Promise.resolve();
  let control: Operators | undefined;
  try {
    await fleet.ready;
    let begunAt = Date.now();
    workload = new Workload(web, { ...options, record, isOver: () => Date.now() > begunAt + durationMs });
    const config = { place, backend, seed, everyMs };
    control = new Operators({ operators, program: new URL('operator.js', program), config, record });
    const kept = workload.keepUp();
    for (const disturbance of schedule({ ...options, slots: options.workers })) {
      const earlyMs = begunAt + disturbance.atMs - Date.now();
      if (earlyMs > 0) await delay(earlyMs);
      else begunAt -= earlyMs; // the machine is slow: later disturbances keep their distance
      if (disturbance.type !== 'restart') await disturb(disturbance, fleet);
      else if (redis) restarts = restarts.then(() => restart(disturbance, { redis, record }));
    }
    await Promise.all([kept, restarts]);
    await control.end();
    await workload.finish();
  } finally {
    control?.kill();
    await fleet.end();
    await web.close();
  }
}

function configOf({ iteration, itemsPerTransaction, seed, transactions }: ChaosOptions) {
  return { iteration, itemsPerTransaction, seed, transactions };
}

type Restart = Extract<Disturbance, { readonly type: 'restart' }>;

async function disturb(disturbance: Exclude<Disturbance, Restart>, fleet: Fleet): Promise<void> {
  const apply = () => {
    switch (disturbance.type) {
      case 'kill':
        return fleet.kill(disturbance.slot);
      case 'term':
        return fleet.term(disturbance.slot);
      case 'freeze':
        return fleet.freeze(disturbance.slot, disturbance.forMs);
    }
  };
  // All workers may be frozen, or not yet ready.
  while (!apply()) await delay(LOOK_FOR_WORKER_MS);
}

/** Restarts Redis. Meanwhile the workers are still killed and frozen. */
async function restart(
  { forMs, signal }: Restart,
  { redis, record }: { redis: LastingRedis; record: (row: RecordRow) => void },
): Promise<void> {
  record({ at: Date.now(), type: 'redis down' });
  await redis.stop(signal);
  await delay(forMs);
  await redis.start();
  record({ at: Date.now(), type: 'redis up' });
}

/** The project's root: the compiled file is deeper in the tree than its source. */
async function projectRoot(): Promise<URL> {
  for (let folder = new URL('.', import.meta.url); ; folder = new URL('..', folder)) {
    const manifest = await readFile(new URL('package.json', folder), 'utf8').catch(() => undefined);
    if (manifest) return folder;
  }
}
