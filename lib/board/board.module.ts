import {
  type ConfigurableModuleAsyncOptions,
  ConfigurableModuleBuilder,
  Controller,
  type DynamicModule,
  Module,
  type Type,
} from '@nestjs/common';
import { ApiRoutes } from './api.routes.js';
import { BOARD_OPTIONS, type BoardOptions, resolveBoardOptions } from './board.options.js';
import { BoardQueues } from './board.queues.js';
import { describeRoutes } from './openapi.js';
import { PageRoutes } from './page.routes.js';

const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } = new ConfigurableModuleBuilder<BoardOptions>({
  moduleName: 'IterationBoard',
})
  .setClassMethodName('forRoot')
  .build();

/**
 * A page with every iterative job of the application's queues and its controls, served by the application itself, on Express
 * and on Fastify. The application imports IterationModule too, and needs no workers of its own.
 */
@Module({})
export class IterationBoardModule extends ConfigurableModuleClass {
  /** @throws InvalidOptionsError also for a board that nothing protects */
  static override forRoot(options: BoardOptions): DynamicModule {
    resolveBoardOptions(options);
    return withRoutes(super.forRoot(options));
  }

  /** The options are checked when the application starts. */
  static override forRootAsync(options: ConfigurableModuleAsyncOptions<BoardOptions>): DynamicModule {
    return withRoutes(super.forRootAsync(options));
  }
}

/** Controllers of its own for each board, since a controller has one path. */
function withRoutes(module: DynamicModule): DynamicModule {
  class IterationBoardApi extends ApiRoutes {}
  class IterationBoardPage extends PageRoutes {}
  return {
    ...module,
    controllers: [IterationBoardPage, IterationBoardApi],
    providers: [
      ...(module.providers ?? []),
      BoardQueues,
      {
        provide: BOARD_OPTIONS,
        // Nest reads the path when it registers the routes, which is after every provider was made.
        useFactory: async (given: unknown) => {
          const options = resolveBoardOptions(given);
          for (const type of [IterationBoardPage, IterationBoardApi] as Type[]) Controller(options.path)(type);
          await describeRoutes({ api: IterationBoardApi, page: IterationBoardPage }, options);
          return options;
        },
        inject: [MODULE_OPTIONS_TOKEN],
      },
    ],
  };
}
