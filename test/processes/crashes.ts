import { BullModule } from '@nestjs/bullmq';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  type At,
  type BuildContext,
  BuildEnumerator,
  EachIteration,
  EnumeratorBuilder,
  type EnumeratorLike,
  type IterationContext,
  type IterationEvents,
  IterationModule,
  type IterationOptions,
  IterativeProcessor,
  OnIteration,
} from '../../lib/index.js';
import { useBackend } from '../support/backend.js';
import { nameLockTokens } from '../support/lock-tokens.js';
import { recordRunning } from './saves.js';

/** The configuration that the test gives the process. */
export interface CrashConfig {
  readonly place: object;
  readonly postgresQueue: boolean;
  readonly queue: string;
  readonly iteration: IterationOptions;
  /** The process kills itself this long after its first run has begun. */
  readonly livesMs?: number;
}

type Death = 'kill' | 'exit' | 'throw';
type Place = 'build' | 'resume' | 'fetch' | 'complete';

/** The data of a job: its items, and where its process dies. */
export interface CrashData {
  /** `pages`: of four items. `nested`: three batches of two items each. */
  readonly source?: 'items' | 'pages' | 'nested';
  readonly items: number;
  /** Duration of each handler; 0: synchronous. */
  readonly itemMs?: number;
  /** An item whose handler ends only when its process gets SIGCONT. */
  readonly holds?: number;
  /** How an item kills the process, by item. */
  readonly killers?: Readonly<Record<number, Death>>;
  /** The killers kill up to this run. Default: always. */
  readonly untilRun?: number;
  /** Where each of the first starts dies. */
  readonly dieIn?: readonly Place[];
}

const config = JSON.parse(process.argv[2] as string) as CrashConfig;

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function die(how: Death): void {
  if (how === 'kill') process.kill(process.pid, 'SIGKILL');
  if (how === 'exit') process.exit(1);
  if (how === 'throw') {
    setImmediate(() => {
      throw new Error('nobody catches me');
    });
  }
}

function dieIn(place: Place, { data, job }: { data: CrashData; job: { attemptsStarted: number } }): void {
  if (data.dieIn?.[job.attemptsStarted - 1] === place) die('kill');
}

let isMortal = config.livesMs !== undefined;

/** Starts the timer of the kill: it fires before the longer timer that a suspect item waits for (R19). */
function beginToLive(): void {
  if (!isMortal) return;
  isMortal = false;
  setTimeout(() => die('kill'), config.livesMs);
}

const running = recordRunning();

/** Whether the run of a job is in careful mode (R19). */
function modeOf({ job }: { job: { id?: string } }): 'careful' | 'trusted' {
  return running.get(job.id as string) === 'careful item' ? 'careful' : 'trusted';
}

@IterativeProcessor(config.queue)
class Crashing {
  constructor(private readonly enumerators: EnumeratorBuilder) {}

  @BuildEnumerator()
  build(context: BuildContext<CrashData>): EnumeratorLike<number | readonly number[]> {
    dieIn('build', context);
    const { cursor, data } = context;
    const { items, source } = data;
    const numbers = Array.from({ length: items }, (_, item) => item);
    const groups = (of: readonly number[], size: number) =>
      of.flatMap((_, first) => (first % size === 0 ? [of.slice(first, first + size)] : []));
    switch (source ?? 'items') {
      case 'items':
        return this.enumerators.times(items, { cursor });
      case 'nested':
        return this.enumerators.nested(
          [
            ({ cursor }: At) => this.enumerators.array(groups(numbers, 6), { cursor }),
            (six: readonly number[], { cursor }: At) => this.enumerators.array(groups(six, 2), { cursor }),
          ],
          { cursor },
        );
      case 'pages':
        return this.enumerators.keyset({
          key: (item: number) => item,
          pageSize: 4,
          cursor,
          fetch: async (after, limit) => {
            if (after !== null) dieIn('fetch', context);
            return numbers.slice((after ?? -1) + 1, (after ?? -1) + 1 + limit);
          },
        });
    }
  }

  @EachIteration()
  each(item: number | readonly number[], context: IterationContext<CrashData>): Promise<void> | undefined {
    const { data, job, run } = context;
    const { itemMs = 1, killers = {}, untilRun = Infinity } = data;
    for (const number of [item].flat()) {
      const how = killers[number];
      if (how && run <= untilRun) {
        say(`dies ${job.id} ${number} ${run} ${modeOf(context)}`);
        die(how);
        return new Promise(() => {});
      }
    }
    if (itemMs > 0) return this.#handle(item, context);
    this.#report(item, context);
    return undefined;
  }

  async #handle(item: number | readonly number[], context: IterationContext<CrashData>): Promise<void> {
    const { data, job, run } = context;
    const ended = new Promise<void>((resolve) => {
      if (data.holds === item) process.once('SIGCONT', resolve);
      else setTimeout(resolve, data.itemMs ?? 1);
    });
    say(`begins ${job.id} ${item} ${run}`);
    await ended;
    this.#report(item, context);
  }

  #report(item: number | readonly number[], context: IterationContext<CrashData>): void {
    say(`item ${context.job.id} ${item} ${context.run} ${modeOf(context)}`);
  }

  @OnIteration('start') start({ job }: IterationContext<CrashData>) {
    beginToLive();
    say(`start ${job.id}`);
  }
  @OnIteration('resume') resume(context: IterationContext<CrashData>) {
    beginToLive();
    dieIn('resume', context);
    say(`resume ${context.job.id} ${context.run}`);
  }
  @OnIteration('complete') complete(context: IterationContext<CrashData>) {
    dieIn('complete', context);
    say(`complete ${context.job.id}`);
  }
  @OnIteration('fail') fail({ job }: IterationContext<CrashData>, { error }: IterationEvents['fail']) {
    say(`fail ${job.id} ${(error as Error).constructor.name}`);
  }
  @OnIteration('skip') skip({ job }: IterationContext<CrashData>, { item, cursor }: IterationEvents['skip']) {
    say(`skip ${job.id} ${item} ${JSON.stringify(cursor)}`);
  }
  @OnIteration('end') end({ job }: IterationContext<CrashData>, { outcome }: IterationEvents['end']) {
    say(`end ${job.id} ${outcome}`);
  }
}

nameLockTokens();
if (config.postgresQueue) useBackend('postgres');

@Module({
  imports: [
    BullModule.forRoot(config.place as never),
    BullModule.registerQueue({ name: config.queue }),
    IterationModule.forRoot(config.iteration),
  ],
  providers: [Crashing],
})
class CrashingModule {}

const app = await NestFactory.createApplicationContext(CrashingModule, { logger: ['log', 'warn', 'error', 'fatal'] });
app.enableShutdownHooks();
say('ready');
