/**
 * An operator in a web process of its own: it pauses, resumes, cancels, tunes and restarts jobs at random, and prints what each
 * request was answered.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { IterationError, type IterationState, type IterationStatus } from '../../lib/index.js';
import { randomOf } from '../support/random.js';
import type { Answer } from './ledger.js';
import { openWeb, type Place } from './web.js';

export interface OperatorConfig extends Place {
  readonly name: string;
  /** Only the operator of a job restarts it, so that it is known what it was before. */
  readonly number: number;
  readonly operators: number;
  readonly seed: number;
  /** Average milliseconds between requests. */
  readonly everyMs: number;
}

type Action = Answer['request'];

/** What an operator asks for, by weight. A pair is asked for at once, or one after the other. */
const OF_OPEN: readonly (readonly [weight: number, ...actions: Action[]])[] = [
  [20, 'pause'],
  [1, 'cancel'],
  [16, 'tune'],
  [5, 'pause', 'resume'],
  [1, 'cancel', 'pause'],
  [1, 'pause', 'cancel'],
  [2, 'cancel', 'resume'],
  [2, 'tune', 'pause'],
];
const OF_PAUSED: typeof OF_OPEN = [
  [20, 'resume'],
  [1, 'cancel'],
  [3, 'tune'],
  [1, 'pause'],
  [2, 'resume', 'pause'],
  [1, 'resume', 'cancel'],
];
/** What is asked of one part by itself. */
const OF_PART: typeof OF_OPEN = [
  [12, 'pause', 'resume'],
  [6, 'pause'],
  [8, 'tune'],
  [1, 'cancel'],
];
/** Share of the requests to a job in parts that are for one of its parts alone. */
const OF_PARTS = 0.25;
const OPEN: IterationState[] = ['running', 'waiting', 'interrupted', 'paused'];
const ENDED: readonly IterationState[] = ['completed', 'cancelled', 'failed'];
/** Share of the requests that restart a job that has ended. */
const RESTARTS = 0.06;
/** Share of the requests that are for a running job, if there is one. */
const OF_RUNNING = 0.7;
const RATES = [60, 150] as const;

const config = JSON.parse(process.argv[2] as string) as OperatorConfig;
const random = randomOf(config.seed * 64 + config.number);
let isEnding = false;
process.once('SIGTERM', () => {
  isEnding = true;
});

const { iterations, close } = await openWeb(config);
let asked = 0;
process.stdout.write('ready\n');
while (!isEnding) {
  await delay(config.everyMs * (0.5 + random()));
  await act().catch(() => {}); // Redis is down now and then
}
await close();
process.exit(0);

async function act(): Promise<void> {
  const restarts = random() < RESTARTS;
  const states: IterationState[] = restarts ? ['completed', 'cancelled'] : OPEN;
  const jobs = (await iterations.list('chaos', { states })).filter(({ id }) => !restarts || isOwn(id));
  const running = jobs.filter(({ state }) => state === 'running');
  const pool = random() < OF_RUNNING && running.length > 0 ? running : jobs;
  const found = pool[Math.floor(random() * pool.length)];
  if (!found) return;
  if (restarts) return ask('restart', found);
  const job = random() < OF_PARTS ? await partOrWhole(found) : found;
  const [, ...actions] = choose(job.state === 'paused' ? OF_PAUSED : job.part ? OF_PART : OF_OPEN);
  if (random() < 0.5) for (const action of actions) await ask(action, job);
  else await Promise.all(actions.map((action) => ask(action, job)));
}

async function partOrWhole(whole: IterationStatus): Promise<IterationStatus> {
  if (!whole.partStates) return whole;
  const parts = await iterations.list('chaos', { partOf: whole.id, states: OPEN });
  return parts[Math.floor(random() * parts.length)] ?? whole;
}

function choose(weighted: typeof OF_OPEN): (typeof OF_OPEN)[number] {
  const chances = weighted.flatMap((one) => Array.from({ length: one[0] }, () => one));
  return chances[Math.floor(random() * chances.length)] as (typeof OF_OPEN)[number];
}

function isOwn(id: string): boolean {
  return Number.parseInt(id, 10) % config.operators === config.number;
}

async function ask(request: Action, { id, state }: IterationStatus): Promise<void> {
  const job = { queue: 'chaos', id };
  const by = `${config.name}.${++asked}`;
  const itemsPerSecond = RATES[0] + Math.floor(random() * (RATES[1] - RATES[0]));
  const askedAt = Date.now();
  const outcome = await (() => {
    switch (request) {
      case 'tune':
        return iterations.tune(job, { itemsPerSecond });
      case 'restart':
        return iterations.restart(job);
      default:
        return iterations[request](job, { by });
    }
  })().then(
    () => 'ok' as const,
    (error: unknown) => (error instanceof IterationError ? ('refused' as const) : ('unknown' as const)),
  );
  const answer: Answer = { job: id, by, request, askedAt, outcome, before: ENDED.includes(state) ? state : 'open' };
  process.stdout.write(`answer ${JSON.stringify({ ...answer, ...(request === 'tune' && { itemsPerSecond }) })}\n`);
}
