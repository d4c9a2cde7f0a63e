import {
  type ConfigurableModuleAsyncOptions,
  ConfigurableModuleBuilder,
  type DynamicModule,
  Global,
  Module,
  type OnModuleInit,
} from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { IterationService } from './control/index.js';
import { type NestModule, ProcessorExplorer, QueueFinder } from './discovery/index.js';
import { CsvEnumeratorBuilder } from './enumerators/csv/csv.enumerator.js';
import { EnumeratorBuilder } from './enumerators/enumerator.builder.js';
import { PrismaEnumeratorBuilder } from './enumerators/prisma/prisma.enumerator.js';
import { TypeOrmEnumeratorBuilder } from './enumerators/typeorm/typeorm.enumerator.js';
import { EventPublisher } from './events/index.js';
import { InvalidOptionsError } from './iteration.errors.js';
import type { IterationOptions } from './iteration.options.js';
import { ITERATION_OPTIONS } from './iteration.tokens.js';
import { checkIterationOptions } from './options.check.js';
import { WorkerRegistrar } from './worker/index.js';

const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } = new ConfigurableModuleBuilder<IterationOptions>({
  moduleName: 'Iteration',
})
  .setClassMethodName('forRoot')
  .build();

/** Options of `forRootAsync`: `useFactory`, `useClass` or `useExisting`. */
export type IterationAsyncOptions = ConfigurableModuleAsyncOptions<IterationOptions>;

const SERVICES = [
  IterationService,
  EnumeratorBuilder,
  TypeOrmEnumeratorBuilder,
  PrismaEnumeratorBuilder,
  CsvEnumeratorBuilder,
];

/**
 * Finds the application's processors, runs their queues' workers, and provides {@link IterationService} and
 * {@link EnumeratorBuilder} everywhere. `imports: [IterationModule]` takes every default.
 */
@Global()
@Module({
  providers: [
    {
      provide: ITERATION_OPTIONS,
      useFactory: (options: unknown = {}) => {
        checkIterationOptions(options);
        return options;
      },
      inject: [{ token: MODULE_OPTIONS_TOKEN, optional: true }],
    },
    EventPublisher,
    QueueFinder,
    ProcessorExplorer,
    WorkerRegistrar,
    ...SERVICES,
  ],
  exports: SERVICES,
})
export class IterationModule extends ConfigurableModuleClass implements OnModuleInit {
  /** @hidden */
  constructor(
    private readonly modules: ModulesContainer,
    private readonly registrar: WorkerRegistrar,
    private readonly queues: QueueFinder,
  ) {
    super();
  }

  /** @throws InvalidOptionsError */
  static override forRoot(options: IterationOptions = {}): DynamicModule {
    checkIterationOptions(options);
    return super.forRoot(options);
  }

  /** As `forRoot`, with options that a factory or a class provides. */
  static override forRootAsync(options: IterationAsyncOptions): DynamicModule {
    return super.forRootAsync(options);
  }

  /** A feature module may import the module without options. Only the configured import runs the workers. */
  onModuleInit(): void {
    const all = [...this.modules.values()].filter(({ metatype }) => metatype === IterationModule);
    const configured = all.filter(isConfigured);
    if (configured.length > 1) {
      throw new InvalidOptionsError(
        'IterationModule is configured more than once. Call forRoot or forRootAsync once, in the root module',
      );
    }
    const [running] = (configured.length > 0 ? configured : all).map(({ instance }) => instance as unknown);
    if (running === this) {
      this.queues.patchAll();
      this.registrar.register();
    } else if (running instanceof IterationModule) this.registrar.leaveTo(running.registrar);
  }
}

function isConfigured({ providers }: NestModule): boolean {
  return providers.has(MODULE_OPTIONS_TOKEN);
}
