/** A worker of jobs with parts. It kills itself at a job's step, once. */
import { writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { BullModule } from '@nestjs/bullmq';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Job, Queue, UnrecoverableError, Worker } from 'bullmq';
import type { Checkpoint } from '../../lib/checkpoint/checkpoint.js';
import { PostgresCheckpointStore } from '../../lib/checkpoint/checkpoint.store.postgres.js';
import { RedisCheckpointStore } from '../../lib/checkpoint/checkpoint.store.redis.js';
import {
  type BuildContext,
  BuildEnumerator,
  BuildPartitions,
  EachIteration,
  EnumeratorBuilder,
  type IterationContext,
  IterationModule,
  IterativeProcessor,
  OnIteration,
  type PartitionsContext,
} from '../../lib/index.js';
import { useBackend } from '../support/backend.js';
import { LASTING_LOCKS } from '../support/dead-locks.js';
import { tokensOf } from '../support/lock-tokens.js';
import { FAILING, ITEMS_OF_A_PART, isRetried, PARTS, type PartKillsConfig, stepOf } from '../support/part-steps.js';

const config = JSON.parse(process.argv[2] as string) as PartKillsConfig;

function say(line: string): void {
  writeSync(1, `${line}\n`);
}

/** Kills this process if this is the step of the job, or of its first part. */
function at(step: string, id: string): void {
  const own = stepOf(id);
  const isPart = own?.startsWith('part: ');
  const [, part] = /-part-(\d+)$/.exec(id) ?? [];
  if (own !== (isPart ? `part: ${step}` : step) || part !== (isPart ? '0' : undefined)) return;
  try {
    writeFileSync(join(config.deaths, own), '', { flag: 'wx' });
  } catch {
    return; // killed before
  }
  say(`dies ${id} ${own}`);
  process.kill(process.pid, 'SIGKILL');
  for (;;); // the signal may take a moment to arrive
}

async function around<T>(step: string, id: string, work: () => Promise<T>): Promise<T> {
  at(`before ${step}`, id);
  const result = await work();
  at(`after ${step}`, id);
  return result;
}

interface Store {
  save(job: { id?: string }, token: string, document: Checkpoint, options?: object): Promise<boolean>;
  saveParts(job: { id?: string }, token: string, parts: string): Promise<boolean>;
}

for (const { prototype } of [RedisCheckpointStore, PostgresCheckpointStore] as unknown as { prototype: Store }[]) {
  const { save, saveParts } = prototype;
  prototype.save = function (this: Store, job, token, document, options) {
    const { ended, running, settled } = document;
    const kind = ended ? 'complete' : settled ? 'settled' : running ? 'start' : 'the wait';
    return around(`${kind} is saved`, job.id as string, () => save.call(this, job, token, document, options));
  };
  prototype.saveParts = function (this: Store, job, token, parts) {
    return around('the list is saved', job.id as string, () => saveParts.call(this, job, token, parts));
  };
}

/** How many parts of a job this process has retried. */
const retried = new Map<string, number>();
const jobOf = (part: string) => part.replace(/-\d+-\d+-part-\d+$/, '');

const { retry } = Job.prototype;
Job.prototype.retry = async function (this: Job, ...args) {
  const id = jobOf(this.id as string);
  at('before failed parts are retried', id);
  await retry.apply(this, args);
  const count = (retried.get(id) ?? 0) + 1;
  retried.set(id, count);
  if (count < FAILING.length) at('in the middle of retrying parts', id);
  else at('after failed parts are retried', id);
};

const { addBulk, remove } = Queue.prototype;
Queue.prototype.addBulk = async function (this: Queue, jobs) {
  const id = jobs[0]?.opts?.parent?.id as string;
  at('before parts are added', id);
  if (stepOf(id) === 'in the middle of adding') {
    await addBulk.call(this, jobs.slice(0, PARTS / 2));
    at('in the middle of adding', id);
  }
  const added = await addBulk.call(this, jobs);
  at('after parts are added', id);
  return added;
};
Queue.prototype.remove = async function (this: Queue, id, ...rest) {
  const removed = await remove.call(this, id, ...rest);
  at('in the middle of removing', jobOf(id));
  return removed;
};

type Command = (job: Job | string, ...args: unknown[]) => Promise<unknown>;

/** What sends the commands that move a job. In BullMQ 5 each job has scripts, with one command for both ends. */
function commandsOf(worker: Worker): Record<string, Command> {
  const { scripts } = worker as unknown as { scripts?: object };
  return (scripts ? Object.getPrototypeOf(scripts) : worker.getBackend()) as Record<string, Command>;
}

BullModule.workerClass = class extends Worker {
  constructor(...args: ConstructorParameters<typeof Worker>) {
    super(...args);
    (this as { id: string }).id = tokensOf(process.pid).slice(0, -1);
    const commands = commandsOf(this as unknown as Worker);
    for (const name of ['moveToWaitingChildren', 'moveToCompleted', 'moveToFinished']) {
      const send = commands[name];
      if (!send) continue;
      const step = name === 'moveToFinished' ? 'moveToCompleted' : name;
      commands[name] = function (this: object, job, ...rest) {
        return around(step, typeof job === 'string' ? job : (job.id as string), () => send.call(this, job, ...rest));
      };
    }
  }
} as typeof Worker;

type Context = IterationContext;

@IterativeProcessor({ queue: 'jobs', name: 'parts' })
class Parts {
  constructor(private readonly enumerators: EnumeratorBuilder) {}

  @BuildPartitions()
  split({ job }: PartitionsContext) {
    say(`split ${job.id}`);
    return Array.from({ length: PARTS }, (_, part) => part);
  }

  @BuildEnumerator()
  build({ cursor, job, part }: BuildContext<unknown, number, number>) {
    say(`build ${job.id}`);
    at('build', job.id as string);
    const items = Array.from({ length: ITEMS_OF_A_PART }, (_, item) => (part as number) * ITEMS_OF_A_PART + item);
    return this.enumerators.array(items, { cursor });
  }

  @EachIteration()
  async each(item: number, { job }: Context) {
    const step = stepOf(job.id as string);
    const part = Math.floor(item / ITEMS_OF_A_PART);
    if (isRetried(step) && FAILING.includes(part) && job.attemptsMade === 0) throw new UnrecoverableError('not yet');
    say(`item ${step} ${item}`);
    if (item === ITEMS_OF_A_PART / 2) at('in the middle of its items', job.id as string);
  }

  @OnIteration('start') start({ job }: Context) {
    say(`start ${job.id}`);
    at('start hook', job.id as string);
  }
  @OnIteration('complete') complete({ job }: Context) {
    say(`complete ${job.id}`);
    at('complete hook', job.id as string);
  }
  @OnIteration('fail') fail({ job }: Context) {
    say(`fail ${job.id}`);
  }
  @OnIteration('end') end({ job }: Context) {
    at('end hook', job.id as string);
  }
}

if (config.postgresQueue) useBackend('postgres');

@Module({
  imports: [
    BullModule.forRoot(config.place as never),
    BullModule.registerQueue({ name: 'jobs' }),
    IterationModule.forRoot({ worker: { ...LASTING_LOCKS, concurrency: 1 } }),
  ],
  providers: [Parts],
})
class PartsModule {}

const app = await NestFactory.createApplicationContext(PartsModule, { logger: ['warn', 'error', 'fatal'] });
app.enableShutdownHooks();
say('ready');
