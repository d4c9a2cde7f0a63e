import type { DynamicModule } from '@nestjs/common';
import {
  type BuildContext,
  BuildEnumerator,
  EachIteration,
  EnumeratorBuilder,
  type IterationContext,
  OnIteration,
} from '../../lib/index.js';
import { Gate } from '../../lib/testing/gate.js';
import { config, say } from './worker.config.js';

const { items = 1_000, itemMs = 10 } = config;

/** Opens at SIGCONT, for {@link WorkerConfig.waitAt}. */
const continued = new Gate();
process.once('SIGCONT', () => continued.open());

/** The application, once it is created. */
export const running: { close?: () => Promise<void> } = {};

export type Modules = DynamicModule['imports'] & object;

export function numbersModule(module: Partial<DynamicModule>): DynamicModule {
  return { module: class NumbersModule {}, ...module };
}

type Use = (context: IterationContext) => Promise<void>;

export abstract class Numbers {
  constructor(
    private readonly enumerators: EnumeratorBuilder,
    private readonly use: Use,
  ) {}

  @BuildEnumerator()
  build({ cursor, job }: BuildContext) {
    if (config.crashAt === 'build' && job.attemptsStarted === 1) process.kill(process.pid, 'SIGKILL');
    return this.enumerators.times(items, { cursor });
  }

  @EachIteration()
  each(item: number, context: IterationContext): Promise<void> | undefined {
    if (itemMs === 0) return undefined;
    return this.handle(item, context);
  }

  private async handle(item: number, context: IterationContext): Promise<void> {
    if (config.crashAt === 'floating rejection' && item === 2) void Promise.reject(new Error('nobody awaits me'));
    if (config.hangs && item === 2) {
      void running.close?.().then(() => say('closed'));
      await new Promise(() => {});
    }
    if (item === config.waitAt) await continued.wait();
    await new Promise((resolve) => setTimeout(resolve, itemMs));
    await this.use(context);
    const at = config.saysSaves ? ` ${Date.now()}` : '';
    if (!config.quiet) say(`item ${context.job.id} ${item}${at}`);
  }

  @OnIteration('start') start({ job }: IterationContext) {
    say(`start ${job.id}`);
  }
  @OnIteration('resume') resume({ job }: IterationContext) {
    say(`resume ${job.id}`);
  }
  @OnIteration('complete') complete({ job }: IterationContext) {
    say(`complete ${job.id}`);
  }
}
