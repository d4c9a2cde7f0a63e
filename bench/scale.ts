/**
 * Where the queue's server saturates: a job in parts over 1, 10, 50 and 100 workers (BullMQ's worker concurrency, over two
 * processes), on Redis and on PostgreSQL. The handlers take no time. For each number of workers:
 *
 * - parts of one item: parts/s, from the first part to the settled job;
 * - a checkpoint after every item: checkpoints/s;
 * - one running part for each worker with the default checkpoints: items/s, and commands/s for each running part;
 * - the same with handlers that wait: renewals and polls alone.
 *
 * Each with the commands (those inside scripts included) and the processor time of a private redis-server, or the
 * transactions of a database and the processor time of its processes; and how busy the machine is, which runs servers and
 * workers: where it is busy and the server is not, the workers are what saturates. The commands of a running part are also
 * printed by name.
 *
 * `WORKERS=1,10,50,100 SECONDS=5 PARTS=2000 PROCESSES=2` are the sizes. `SECONDS=1 PARTS=200 WORKERS=100` takes less than
 * a minute. Needs Linux, which says how much time each process takes.
 */
import { existsSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { type Job, Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { type Backend, useBackend } from '../test/support/backend.js';
import { createDatabase } from '../test/support/database.js';
import { startRedis } from '../test/support/redis-server.js';
import { until } from '../test/support/until.js';
import { report } from './figure.js';
import { BenchProcess } from './processes/bench.process.js';
import type { PartKind, ScaleData, ScaleWorkerConfig } from './processes/scale-worker.js';

const WORKERS = (process.env.WORKERS ?? '1,10,50,100').split(',').map(Number);
const SECONDS = Number(process.env.SECONDS ?? 5);
const PARTS = Number(process.env.PARTS ?? 2_000);
const PROCESSES = Number(process.env.PROCESSES ?? 2);

/** What a server, the parts and the machine have done so far. */
interface Reading {
  readonly ms: number;
  /** Redis commands, or PostgreSQL's transactions. */
  readonly calls: number;
  /** Processor time of the server, in seconds: of the Redis process, or of PostgreSQL's processes of the database. */
  readonly cpu: number;
  /** Processor time of the workers, in seconds. */
  readonly workersCpu: number;
  readonly bytes: number | undefined;
  /** Calls of each Redis command, those inside scripts included. */
  readonly byCommand: ReadonlyMap<string, number>;
  readonly items: number;
  readonly busyMs: number;
}

interface Server {
  readonly backend: Backend;
  readonly unit: string;
  /** A place without jobs. */
  place(): Promise<ScaleWorkerConfig['place']>;
  read(): Promise<Pick<Reading, 'calls' | 'cpu' | 'bytes' | 'byCommand'>>;
  close(): Promise<void>;
}

for (const open of [redisServer, postgresServer]) {
  const server = await open();
  try {
    for (const workers of WORKERS) {
      for (const kind of ['short', 'each', 'busy', 'idle'] as const) await measure(server, { kind, workers });
    }
  } finally {
    await server.close();
    useBackend('redis');
  }
}

/** In fresh processes, which are killed afterwards. */
async function measure(server: Server, { kind, workers }: { kind: PartKind; workers: number }): Promise<void> {
  useBackend(server.backend);
  const place = await server.place();
  const queue = new Queue('scale', place as never);
  await queue.waitUntilReady();
  const shares = Array.from({ length: Math.min(PROCESSES, workers) }, (_, index) =>
    Math.floor((workers + index) / Math.min(PROCESSES, workers)),
  );
  const processes = shares.map((concurrency) => {
    return new BenchProcess('scale-worker', {
      backend: server.backend,
      place,
      concurrency,
    } satisfies ScaleWorkerConfig);
  });
  try {
    await Promise.all(processes.map((worker) => worker.message('ready')));
    const data: ScaleData = { kind, parts: kind === 'short' ? PARTS : workers };
    const job = await queue.add(kind === 'each' ? 'each' : 'parts', data);
    await until('the job waits for its parts', () => job.isWaitingChildren());
    const measured: Measured = { server, queue, pids: processes.map(({ pid }) => pid) };
    if (kind === 'short') reportShort(measured, workers, await runToEnd(measured, job));
    else reportRunning(measured, { kind, workers }, await runFor(SECONDS, measured, workers));
  } finally {
    await Promise.all(processes.map((worker) => worker.kill()));
    await queue.close();
  }
}

interface Measured {
  readonly server: Server;
  readonly queue: Queue;
  readonly pids: readonly number[];
}

type Readings = readonly [before: Reading, after: Reading];

async function runToEnd(measured: Measured, job: Job): Promise<Readings> {
  const before = await read(measured);
  await measured.queue.resume();
  await until('the job is complete', async () => (await job.isCompleted()) || (await delay(20, false)));
  const after = await read(measured);
  if (measured.server.backend === 'redis') return [before, after];
  await delay(1_100); // the counters of PostgreSQL are that late
  return [before, { ...after, calls: (await read(measured)).calls }];
}

async function runFor(seconds: number, measured: Measured, workers: number): Promise<Readings> {
  const { queue } = measured;
  await queue.resume();
  const isFull = async () => (await queue.getActiveCount()) === workers || (await delay(50, false));
  await until('every worker has a part', isFull);
  await delay(1_000); // the first checkpoints, and the counters of PostgreSQL
  const itemsBefore = await itemsOf(queue);
  const before = await read(measured);
  await delay(seconds * 1_000);
  const after = await read(measured);
  return [
    { ...before, items: itemsBefore },
    { ...after, items: await itemsOf(queue) },
  ];
}

/** As of the last checkpoints of the running parts. */
async function itemsOf(queue: Queue): Promise<number> {
  const parts = await queue.getActive();
  return parts.reduce((sum, { progress }) => sum + ((progress as { processed?: number }).processed ?? 0), 0);
}

async function read({ pids, server }: Measured): Promise<Reading> {
  const busyMs = cpus().reduce((sum, { times }) => sum + times.user + times.sys + times.nice + times.irq, 0);
  const workersCpu = cpuOf(pids);
  return { ...(await server.read()), items: 0, busyMs, workersCpu, ms: performance.now() };
}

/** Processor time of processes on this machine, in seconds, as Linux counts it: in hundredths. */
function cpuOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const path = `/proc/${pid}/stat`;
    if (!existsSync(path)) return sum; // PostgreSQL has ended the process of a connection
    const fields = readFileSync(path, 'utf8').replace(/^.*\)/s, '').trim().split(' ');
    return sum + (Number(fields[11]) + Number(fields[12])) / 100;
  }, 0);
}

function reportShort(measured: Measured, workers: number, readings: Readings): void {
  const [before, after] = readings;
  const seconds = (after.ms - before.ms) / 1_000;
  report({
    what: `${ofWorkers(workers)} on ${measured.server.backend}: parts of one item`,
    ours: `${asCount(PARTS / seconds)} parts/s, ${((after.calls - before.calls) / PARTS).toFixed(1)} ${measured.server.unit} a part`,
    against: load(measured, readings),
  });
}

function reportRunning(
  measured: Measured,
  { kind, workers }: { kind: PartKind; workers: number },
  readings: Readings,
): void {
  const [before, after] = readings;
  const seconds = (after.ms - before.ms) / 1_000;
  const items = `${asCount((after.items - before.items) / seconds)}`;
  const aPart = `${((after.calls - before.calls) / seconds / workers).toFixed(1)} ${measured.server.unit}/s a running part`;
  const what = {
    each: ['a checkpoint after every item', `${items} checkpoints/s`],
    busy: ['a part for each worker, handlers that take no time', `${items} items/s, ${aPart}`],
    idle: ['a part for each worker, handlers that wait', aPart],
    short: [],
  }[kind];
  report({
    what: `${ofWorkers(workers)} on ${measured.server.backend}: ${what[0]}`,
    ours: what[1] as string,
    against: load(measured, readings),
  });
  if (kind === 'each' || measured.server.backend !== 'redis') return;
  report({
    what: `${ofWorkers(workers)} on redis: the commands/s of a running part, handlers that ${kind === 'idle' ? 'wait' : 'take no time'}`,
    ours: commandsOf(readings, workers),
  });
}

/** The most frequent commands: HGET looks for requests; GET, SET and SREM renew a lock; EXISTS is the stalled check's. */
function commandsOf([before, after]: Readings, workers: number): string {
  const seconds = (after.ms - before.ms) / 1_000;
  const rates = [...after.byCommand].map(([name, calls]) => ({
    name,
    rate: (calls - (before.byCommand.get(name) ?? 0)) / seconds / workers,
  }));
  const most = rates.filter(({ rate }) => rate >= 0.05).sort((one, other) => other.rate - one.rate);
  return most.map(({ name, rate }) => `${name} ${rate.toFixed(1)}`).join(', ');
}

/** What the server, the workers and the machine did in that time. */
function load({ server }: Measured, [before, after]: Readings): string {
  const { backend, unit } = server;
  const ms = after.ms - before.ms;
  const calls = after.calls - before.calls;
  const [cpu, workersCpu] = [after.cpu - before.cpu, after.workersCpu - before.workersCpu];
  const ofCores = (seconds: number) => `${((seconds / ms) * 100_000).toFixed(0)} % of a core`;
  return [
    `${asCount((calls / ms) * 1_000)} ${unit}/s`,
    `${backend} ${ofCores(cpu)} (${((cpu / calls) * 1e6).toFixed(0)} us each)`,
    ...(after.bytes ? [`${((after.bytes - (before.bytes ?? 0)) / ms / 1_000).toFixed(2)} MB/s`] : []),
    `workers ${ofCores(workersCpu)}`,
    `machine ${(((after.busyMs - before.busyMs) / ms / cpus().length) * 100).toFixed(0)} % busy`,
  ].join(', ');
}

function ofWorkers(workers: number): string {
  return `${workers} ${workers === 1 ? 'worker' : 'workers'}`;
}

function asCount(count: number): string {
  return Math.round(count).toLocaleString('en');
}

async function redisServer(): Promise<Server> {
  const server = await startRedis();
  const redis = new Redis(server.port, '127.0.0.1');
  return {
    backend: 'redis',
    unit: 'commands',
    async place() {
      await redis.flushall();
      return { connection: { host: '127.0.0.1', port: server.port }, prefix: 'bench' };
    },
    async read() {
      const info = await redis.info('everything');
      const stat = (name: string) => Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(info)?.[1]);
      return {
        calls: stat('total_commands_processed'),
        cpu: stat('used_cpu_user') + stat('used_cpu_sys'),
        bytes: stat('total_net_input_bytes') + stat('total_net_output_bytes'),
        byCommand: new Map(
          [...info.matchAll(/^cmdstat_(\S+):calls=(\d+)/gm)].map(([, name, calls]) => [name as string, Number(calls)]),
        ),
      };
    },
    async close() {
      await redis.quit();
      await server.stop();
    },
  };
}

async function postgresServer(): Promise<Server> {
  const database = await createDatabase();
  let places = 0;
  return {
    backend: 'postgres',
    unit: 'transactions',
    async place() {
      const schema = `place_${++places}`;
      return { connection: { connectionString: database.url, schema, max: 20, migrate: true } };
    },
    async read() {
      const [row] = await database.query<{ calls: string }>(
        'SELECT xact_commit + xact_rollback AS calls FROM pg_stat_database WHERE datname = current_database()',
      );
      const processes = await database.query<{ pid: number }>(
        'SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
      );
      return {
        calls: Number(row?.calls),
        cpu: cpuOf(processes.map(({ pid }) => pid)),
        bytes: undefined,
        byCommand: new Map(),
      };
    },
    close: () => database.drop(),
  };
}
