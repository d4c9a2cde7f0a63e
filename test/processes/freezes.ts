import { writeSync } from 'node:fs';
import { BullModule } from '@nestjs/bullmq';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type Job, WaitingError, Worker } from 'bullmq';
import type { Checkpoint } from '../../lib/checkpoint/checkpoint.js';
import { PostgresCheckpointStore } from '../../lib/checkpoint/checkpoint.store.postgres.js';
import { RedisCheckpointStore } from '../../lib/checkpoint/checkpoint.store.redis.js';
import {
  type BuildContext,
  BuildEnumerator,
  EachIteration,
  EnumeratorBuilder,
  type Interruption,
  type IterationContext,
  IterationModule,
  IterativeProcessor,
  OnIteration,
  type RunEnd,
} from '../../lib/index.js';
import { Gate } from '../../lib/testing/gate.js';
import { useBackend } from '../support/backend.js';
import {
  CLAIMED,
  CLAIMER,
  END_ITEM,
  FROZEN_JOBS,
  FROZEN_WORKER,
  type FreezesConfig,
  ITEMS,
  SYNCHRONOUS,
} from '../support/freeze-steps.js';

// A worker that freezes itself when each of its runs is held at another step. The held runs continue as soon as it
// thaws,
// before any timer: only the clock shows that their locks have expired.

const config = JSON.parse(process.argv[2] as string) as FreezesConfig;
const thawed = new Gate();
const allHeld = new Gate();
const held = new Set<string>();
let renewalHeld = false;
let claimHeld = false;
let isThawed = false;

function say(event: string, id: string): void {
  writeSync(1, `> ${event} | ${id}\n`);
}

async function at(step: string, id: string): Promise<void> {
  if (FROZEN_JOBS.get(id)?.step !== step || held.has(id)) return;
  held.add(id);
  if (held.size === FROZEN_JOBS.size) allHeld.open();
  await thawed.wait();
}

/** Sends the command of a job, held before it is sent or before its answer is handled. */
async function heldAt<T>(command: string, id: string, send: () => Promise<T>): Promise<T> {
  await at(`before ${command}`, id);
  const answer = await send();
  await at(`after ${command}`, id);
  if (id === CLAIMER && command === 'moveToCompleted') {
    claimHeld = true;
    await thawed.wait();
  }
  return answer;
}

function freeze(): void {
  const frozenAt = Date.now();
  say('frozen', '');
  process.kill(process.pid, 'SIGSTOP');
  while (Date.now() < frozenAt + FROZEN_WORKER.lockDuration); // the signal may take a moment to arrive
  isThawed = true;
  say('thawed', '');
  thawed.open();
}

interface Store {
  save(job: { id?: string }, token: string, document: Checkpoint, options?: object): Promise<boolean>;
}

for (const { prototype } of [RedisCheckpointStore, PostgresCheckpointStore] as unknown as { prototype: Store }[]) {
  const { save } = prototype;
  prototype.save = function (this: Store, job, token, document, options) {
    const { ended, failures, interruptions, processed } = document;
    const begun = processed === 0 ? 'begin' : 'item';
    const kind = ended?.outcome ?? (interruptions > 0 ? 'interrupt' : failures > 0 ? 'retry' : begun);
    return heldAt(`save ${kind}`, job.id as string, () => save.call(this, job, token, document, options));
  };
}

type Command = (job: Job | string, ...args: unknown[]) => Promise<unknown>;
interface Internals {
  processJob: (job: Job, ...args: unknown[]) => Promise<unknown>;
}

/** What sends a worker's commands, and those that move a job. In BullMQ 5 each job has scripts, with one command for both ends. */
function commandsOf(worker: Worker): { commands: Record<string, Command>; ends: readonly string[] } {
  const { scripts } = worker as unknown as { scripts?: object };
  return scripts
    ? { commands: Object.getPrototypeOf(scripts) as Record<string, Command>, ends: ['moveToFinished'] }
    : { commands: worker.getBackend() as never, ends: ['moveToCompleted', 'moveToFailed'] };
}

function hold(commands: Record<string, Command>, name: string): void {
  const send = commands[name] as Command;
  commands[name] = function (this: object, job, ...rest) {
    const end = (rest[0] as readonly unknown[] | undefined)?.includes?.('completed')
      ? 'moveToCompleted'
      : 'moveToFailed';
    const id = typeof job === 'string' ? job : (job.id as string);
    return heldAt(name === 'moveToFinished' ? end : name, id, () => send.call(this, job, ...rest));
  };
}

class HeldWorker extends Worker {
  constructor(...args: ConstructorParameters<typeof Worker>) {
    super(...args);
    const { commands, ends } = commandsOf(this);
    for (const name of [...ends, 'moveToDelayed', 'retryJob', 'moveJobFromActiveToWait']) hold(commands, name);
    const internals = this as unknown as Internals;
    const process = internals.processJob.bind(this);
    internals.processJob = async (job, ...rest) => {
      const id = isThawed ? CLAIMED : (job.id as string);
      try {
        return await process(job, ...rest);
      } finally {
        say('over', id);
      }
    };
  }

  override async extendJobLocks(...args: Parameters<Worker['extendJobLocks']>): Promise<string[]> {
    const hold = async () => {
      if (!claimHeld) return;
      renewalHeld = true;
      await thawed.wait();
    };
    if (config.renewal === 'before') await hold();
    const lost = await super.extendJobLocks(...args);
    if (config.renewal === 'after') await hold();
    return lost;
  }
}

@IterativeProcessor({ queue: 'jobs', name: 'frozen', checkpoint: { everyItems: 1 } })
class Frozen {
  constructor(private readonly enumerators: EnumeratorBuilder) {}

  @BuildEnumerator()
  async build({ cursor, job }: BuildContext) {
    const id = job.id as string;
    say('build', id);
    if (id === CLAIMER) {
      await allHeld.wait();
      return null;
    }
    await at('build', id);
    const from = cursor === null ? 0 : (cursor as number) + 1;
    return this.enumerators.from(
      (async function* () {
        for (let item = from; item < ITEMS; item++) {
          if (item === END_ITEM) await at('page', id);
          yield [item, item] as [number, number];
        }
      })(),
    );
  }

  @EachIteration()
  async each(item: number, context: IterationContext) {
    const id = context.job.id as string;
    say(`item ${item}`, id);
    if (item !== END_ITEM) return;
    await at('item', id);
    await at('item that waits for its signal', id);
    if (FROZEN_JOBS.get(id)?.step === 'item that waits for its signal') {
      await new Promise((resolve) => context.signal.addEventListener('abort', resolve));
      say('aborted', id);
    }
    const end = FROZEN_JOBS.get(id)?.end;
    if (end === 'delay') context.retryIn(0);
    if (end === 'wait') throw new WaitingError();
    if (end === 'fail' || end === 'retry') throw new Error('not on this worker');
  }

  @OnIteration('start') start(context: IterationContext) {
    return this.report('start', context);
  }
  @OnIteration('resume') resume(context: IterationContext) {
    return this.report('resume', context);
  }
  @OnIteration('interrupt') interrupt(context: IterationContext, _: Interruption) {
    return this.report('interrupt', context);
  }
  @OnIteration('complete') async complete(context: IterationContext) {
    await this.report('complete', context);
    return 'by the frozen one';
  }
  @OnIteration('fail') fail(context: IterationContext) {
    return this.report('fail', context);
  }
  @OnIteration('end') end(context: IterationContext, { outcome }: RunEnd) {
    return this.report(`end ${outcome}`, context);
  }

  private async report(event: string, { job }: IterationContext): Promise<void> {
    say(event, job.id as string);
    await at(`hook ${event}`, job.id as string);
  }
}

@IterativeProcessor({ queue: 'jobs', name: SYNCHRONOUS })
class Synchronous {
  constructor(private readonly enumerators: EnumeratorBuilder) {}

  @BuildEnumerator()
  build({ cursor }: BuildContext) {
    return this.enumerators.times(1_000_000_000, { cursor });
  }

  @EachIteration()
  each() {
    if (isThawed) say('item', SYNCHRONOUS);
    else if (renewalHeld) freeze();
  }

  @OnIteration('end') end() {
    say('end', SYNCHRONOUS);
  }
}

if (config.postgresQueue) useBackend('postgres');
BullModule.workerClass = HeldWorker as typeof Worker;

@Module({
  imports: [
    BullModule.forRoot(config.place as never),
    BullModule.registerQueue({ name: 'jobs' }),
    IterationModule.forRoot({ worker: FROZEN_WORKER }),
  ],
  providers: [Frozen, Synchronous],
})
class WorkerModule {}

await (await NestFactory.createApplicationContext(WorkerModule, { logger: ['error'] })).init();
