import { BullModule, Processor, WorkerHost } from '@nestjs/bullmq';
import { type DynamicModule, Injectable, Module, type Provider, Scope, type Type } from '@nestjs/common';
import { Queue } from 'bullmq';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type RegisteredQueue, sameQueue } from '../../lib/discovery/queue.finder.js';
import {
  AroundIteration,
  type BuildContext,
  BuildEnumerator,
  EachIteration,
  InvalidOptionsError,
  InvalidProcessorError,
  type IterationContext,
  IterationError,
  IterationModule,
  type IterationOptions,
  IterativeProcessor,
  OnIteration,
  type ProcessorOptions,
} from '../../lib/index.js';
import { type AppOptions, BACKENDS, describeQueues } from '../support/app.js';
import { recordWorkers } from '../support/workers.js';

/** What the handlers of a test handled, in order. */
let handled: string[] = [];
beforeEach(() => {
  handled = [];
});

/** A complete processor, except for `@IterativeProcessor`. */
abstract class Letters {
  @BuildEnumerator()
  build({ data, cursor }: BuildContext<{ letters?: string }>) {
    return [...(data.letters ?? 'ab')].map((letter, index) => [letter, index] as const).slice(Number(cursor ?? -1) + 1);
  }

  @EachIteration()
  each(letter: string): unknown {
    return void handled.push(`${this.constructor.name} ${letter}`);
  }
}

const known = { queue: 'jobs', name: 'letters' } as const;

/** A processor with these options, which may be invalid. */
function processorOf(options: unknown, name = 'Wrong'): Type {
  const type = { [name]: class extends Letters {} }[name] as Type<Letters>;
  IterativeProcessor(options as ProcessorOptions)(type);
  return type;
}

function moduleOf(providers: Provider[], imports: (Type | DynamicModule)[] = [], name = 'FeatureModule'): Type {
  const module = { [name]: class {} }[name] as Type;
  Module({ providers, imports })(module);
  return module;
}

describeQueues('misconfiguration', ['redis'], (queues) => {
  const opened: Queue[] = [];
  beforeAll(() => {
    BullModule.queueClass = class extends Queue {
      constructor(...args: ConstructorParameters<typeof Queue>) {
        super(...args);
        opened.push(this as Queue);
      }
    } as typeof Queue;
  });
  // Nest closes nothing of an application that did not start.
  afterEach(async () => void (await Promise.all(opened.splice(0).map((queue) => queue.close()))));
  afterAll(() => {
    BullModule.queueClass = Queue;
  });

  const refusalOf = (options: AppOptions): Promise<unknown> =>
    queues.start(options).then(
      () => expect.unreachable('The application started'),
      (error: unknown) => error,
    );

  async function expectRefusal(
    options: AppOptions,
    type: typeof InvalidProcessorError | typeof InvalidOptionsError,
    message: string,
  ): Promise<void> {
    const error = await refusalOf(options);
    expect(error).toBeInstanceOf(type);
    expect(error).toBeInstanceOf(IterationError);
    expect(error).toMatchObject({ name: type.name, message });
  }

  const refuses = (what: string, options: AppOptions, message: string) =>
    it(`the application refuses ${what}`, () => expectRefusal(options, InvalidProcessorError, message));

  describe('misconfigured classes', () => {
    @IterativeProcessor(known)
    class NoBuilder {
      @EachIteration() each() {}
    }
    refuses(
      'a processor without @BuildEnumerator',
      { processors: [NoBuilder] },
      'NoBuilder: no method has @BuildEnumerator(). Decorate one',
    );

    @IterativeProcessor(known)
    class NoHandler {
      @BuildEnumerator() build({ cursor: _ }: BuildContext) {
        return [['a', 0]] as const;
      }
    }
    refuses(
      'a processor without @EachIteration',
      { processors: [NoHandler] },
      'NoHandler: no method has @EachIteration(). Decorate one',
    );

    @IterativeProcessor(known)
    class TwoBuilders extends Letters {
      @BuildEnumerator() another({ cursor: _ }: BuildContext) {
        return [['a', 0]] as const;
      }
    }
    refuses(
      'two methods with @BuildEnumerator',
      { processors: [TwoBuilders] },
      'TwoBuilders: build and another have @BuildEnumerator(). Keep one',
    );

    const symbol = Symbol('second');
    @IterativeProcessor(known)
    class TwoHandlers extends Letters {
      @EachIteration() [symbol](_letter: string) {}
    }
    refuses(
      'two methods with @EachIteration',
      { processors: [TwoHandlers] },
      'TwoHandlers: each and Symbol(second) have @EachIteration(). Keep one',
    );

    @IterativeProcessor(known)
    class WithProcess extends Letters {
      process() {}
    }
    refuses(
      'a method named process',
      { processors: [WithProcess] },
      'WithProcess: it has a method "process", which BullMQ\'s own processors have. Iterate in @EachIteration, and rename or remove it',
    );

    @IterativeProcessor(known)
    class InheritsProcess extends WithProcess {}
    refuses(
      'an inherited method named process',
      { processors: [InheritsProcess] },
      'InheritsProcess: it has a method "process", which BullMQ\'s own processors have. Iterate in @EachIteration, and rename or remove it',
    );

    @IterativeProcessor(known)
    class UnknownEvent extends Letters {
      @OnIteration('completed' as 'complete') done() {}
    }
    refuses(
      'an unknown event of @OnIteration, and names the nearest one',
      { processors: [UnknownEvent] },
      "UnknownEvent: done has @OnIteration('completed'), an unknown event. Did you mean 'complete'?",
    );

    it('a decorated static method throws when its class is declared', () => {
      const declare = () => {
        class Static extends Letters {
          @OnIteration('start') static begin() {}
        }
        return Static;
      };
      expect(declare).toThrow(InvalidProcessorError);
      expect(declare).toThrow('Static: the static method begin is decorated; decorate a method of the instance');
    });
  });

  describe('misconfigured scopes', () => {
    const scoped = (name: string) =>
      `${name}: it, or something it injects, is request-scoped or transient; jobs have no request. Make it a singleton, and resolve such providers in the handler with ModuleRef`;

    @Injectable({ scope: Scope.REQUEST })
    @IterativeProcessor(known)
    class PerRequest extends Letters {}
    refuses('a request-scoped processor', { processors: [PerRequest] }, scoped('PerRequest'));

    @Injectable({ scope: Scope.TRANSIENT })
    @IterativeProcessor(known)
    class Transient extends Letters {}
    refuses('a transient processor', { processors: [Transient] }, scoped('Transient'));

    @Injectable({ scope: Scope.REQUEST })
    class Request {}
    @Injectable()
    @IterativeProcessor(known)
    class Injects extends Letters {
      constructor(readonly request: Request) {
        super();
      }
    }
    refuses(
      'a singleton that injects a request-scoped provider',
      { processors: [Injects, Request] },
      scoped('Injects'),
    );

    const Plain = processorOf(known, 'Plain');
    refuses(
      'a request-scoped factory of a processor',
      { processors: [{ provide: Plain, useFactory: () => new Plain(), scope: Scope.REQUEST }] },
      scoped('Plain'),
    );
    refuses(
      'a request-scoped useClass of a processor',
      { processors: [{ provide: 'token', useClass: Plain, scope: Scope.REQUEST }] },
      scoped('Plain'),
    );
  });

  describe('misconfigured queues', () => {
    refuses(
      'a queue that is not registered',
      { processors: [processorOf({ queue: 'nowhere' })] },
      'Wrong: its queue "nowhere" is not registered. Add BullModule.registerQueue({ name: \'nowhere\' }) to the imports of TestModule',
    );
    refuses(
      'two processors for one queue and name',
      { processors: [processorOf(known, 'First'), processorOf(known, 'Second')] },
      'Second: First handles the jobs "letters" of the queue "jobs" too. Give them different names',
    );
    refuses(
      'two processors for every name of one queue',
      { processors: [processorOf('jobs', 'First'), processorOf({ queue: 'jobs' }, 'Second')] },
      'Second: First handles all other jobs of the queue "jobs" too. Give them different names',
    );
    refuses(
      'a processor and a subclass that inherits its name',
      (() => {
        const Base = processorOf(known, 'Base');
        return { processors: [Base, class Derived extends Base {}] };
      })(),
      'Derived: Base handles the jobs "letters" of the queue "jobs" too. Give them different names',
    );
    refuses(
      'two processors of one queue with different worker options',
      {
        processors: [
          processorOf({ ...known, worker: { concurrency: 2 } }, 'First'),
          processorOf({ queue: 'jobs', name: 'other', worker: { concurrency: 3 } }, 'Second'),
        ],
      },
      'Second: it and First share the worker of the queue "jobs", but differ in "worker". Give both the same, or set it for the module',
    );

    @Processor('jobs', { autorun: false })
    class PlainProcessor extends WorkerHost {
      async process() {}
    }
    const plain =
      "Wrong: PlainProcessor is a plain @Processor('jobs') of the same queue; both would take the same jobs. Use another queue";
    refuses('a plain @Processor of the same queue', { processors: [PlainProcessor, processorOf(known)] }, plain);
    refuses(
      'a plain @Processor of the same queue in another module, made by a factory',
      {
        processors: [processorOf(known)],
        imports: [moduleOf([{ provide: 'plain', useFactory: () => new PlainProcessor() }])],
      },
      plain,
    );

    const inline =
      'Wrong: BullModule.registerQueue gives the queue "jobs" "processors" of its own; both would take the same jobs. Use another queue';
    const registered = () => BullModule.registerQueue({ name: 'jobs', processors: [async () => {}] });
    refuses(
      'processors of registerQueue on the same queue',
      { queues: [], processors: [processorOf(known)], imports: [registered()] },
      inline,
    );
    refuses(
      'processors of registerQueue in another module on the same queue',
      { processors: [processorOf(known)], imports: [moduleOf([], [registered()])] },
      inline,
    );
  });

  describe('misconfigured modules', () => {
    it.each([
      ['forRoot twice', () => IterationModule.forRoot({ unknownJobMs: 1 })],
      ['forRoot and forRootAsync', () => IterationModule.forRootAsync({ useFactory: () => ({}) })],
    ])('the application refuses %s', (_, second) =>
      expectRefusal(
        { imports: [moduleOf([], [second()])] },
        InvalidOptionsError,
        'IterationModule is configured more than once. Call forRoot or forRootAsync once, in the root module',
      ),
    );
  });

  describe('invalid options', () => {
    const milliseconds = 'a number of milliseconds, 0 or more';
    const wrong: readonly (readonly [options: object, message: string])[] = [
      [{ maxRuntimeMs: -1 }, `option "maxRuntimeMs" is -1; it must be ${milliseconds}`],
      [{ maxRuntimeMs: Number.NaN }, `option "maxRuntimeMs" is NaN; it must be ${milliseconds}`],
      [{ maxRuntimeMs: '5m' }, `option "maxRuntimeMs" is "5m"; it must be ${milliseconds}`],
      [{ maxRuntimeMs: 5n }, `option "maxRuntimeMs" is 5n; it must be ${milliseconds}`],
      [{ maxRuntimeMs: null }, `option "maxRuntimeMs" is null; it must be ${milliseconds}`],
      [{ resumeDelayMs: -5 }, `option "resumeDelayMs" is -5; it must be ${milliseconds}`],
      [{ resumeDelayMs: () => 5 }, `option "resumeDelayMs" is the function resumeDelayMs; it must be ${milliseconds}`],
      [{ checkpoint: 5 }, ', option "checkpoint": the options are 5; they must be an object'],
      [{ checkpoint: null }, ', option "checkpoint": the options are null; they must be an object'],
      [{ checkpoint: { everyMs: -1 } }, `, option "checkpoint": option "everyMs" is -1; it must be ${milliseconds}`],
      [
        { checkpoint: { everyItems: 0 } },
        ', option "checkpoint": option "everyItems" is 0; it must be a whole number, 1 or more',
      ],
      [
        { checkpoint: { everyItems: 1.5 } },
        ', option "checkpoint": option "everyItems" is 1.5; it must be a whole number, 1 or more',
      ],
      [{ checkpoint: { every: 5 } }, ', option "checkpoint": unknown option "every". Did you mean "everyMs"?'],
      [{ itemFailure: 5 }, ', option "itemFailure": the options are 5; they must be an object'],
      [
        { itemFailure: { attempts: 0 } },
        ', option "itemFailure": option "attempts" is 0; it must be a whole number, 1 or more',
      ],
      [
        { itemFailure: { backoffMs: -1 } },
        ', option "itemFailure": option "backoffMs" is -1; it must be a number of milliseconds, 0 to 2147483647, or a function of the tries made',
      ],
      [
        { itemFailure: { then: 'retry' } },
        `, option "itemFailure": option "then" is "retry"; it must be 'fail' or 'skip'`,
      ],
      [
        { itemFailure: { when: true } },
        ', option "itemFailure": option "when" is true; it must be a function of the error',
      ],
      [
        { itemFailure: { limit: -1 } },
        ', option "itemFailure": option "limit" is -1; it must be a whole number, 0 or more, or { percent, after? }',
      ],
      [{ itemFailure: { limits: 5 } }, ', option "itemFailure": unknown option "limits". Did you mean "limit"?'],
      [{ crashes: { limit: 0 } }, ', option "crashes": option "limit" is 0; it must be a whole number, 1 or more'],
      [{ crashes: { then: 'retry' } }, `, option "crashes": option "then" is "retry"; it must be 'fail' or 'skip'`],
      [{ worker: 5 }, 'option "worker" is 5; it must be an object of BullMQ\'s worker options'],
      [{ worker: [] }, 'option "worker" is []; it must be an object of BullMQ\'s worker options'],
      [
        { worker: { connection: {} } },
        ', option "worker": "connection" cannot be set here: it is taken from the registered queue',
      ],
      [
        { worker: { prefix: 'x' } },
        ', option "worker": "prefix" cannot be set here: it is taken from the registered queue',
      ],
      [
        { worker: { autorun: true } },
        ', option "worker": "autorun" cannot be set here: workers start after the whole application has bootstrapped',
      ],
      [
        { worker: { maxStartedAttempts: 3 } },
        ', option "worker": "maxStartedAttempts" cannot be set here: BullMQ counts interruptions as starts, so it would fail healthy jobs. Use the job\'s "attempts"',
      ],
      [
        { worker: { concurrency: 0 } },
        ', option "worker": option "concurrency" is 0; it must be a whole number, 1 or more',
      ],
      [
        { worker: { concurrency: '5' } },
        ', option "worker": option "concurrency" is "5"; it must be a whole number, 1 or more',
      ],
      [
        { worker: { lockDuration: 0 } },
        ', option "worker": option "lockDuration" is 0; it must be a number of milliseconds, more than 0',
      ],
      [
        { worker: { stalledInterval: -1 } },
        ', option "worker": option "stalledInterval" is -1; it must be a number of milliseconds, more than 0',
      ],
      [
        { worker: { maxStalledCount: -1 } },
        ', option "worker": option "maxStalledCount" is -1; it must be a whole number, 0 or more',
      ],
      [{ itemConcurrency: 0 }, 'option "itemConcurrency" is 0; it must be a whole number, 1 or more'],
      [{ itemConcurrency: '5' }, 'option "itemConcurrency" is "5"; it must be a whole number, 1 or more'],
      [{ maxRuntime: 5 }, 'unknown option "maxRuntime". Did you mean "maxRuntimeMs"?'],
      [{ workr: {} }, 'unknown option "workr". Did you mean "worker"?'],
    ];
    const wrongModule: typeof wrong = [
      ...wrong,
      [
        { shutdown: { deadlineMs: 2 ** 31 } },
        ', option "shutdown": option "deadlineMs" is 2147483648; it must be a number of milliseconds, 0 to 2147483647',
      ],
      [
        { shutdown: { deadlineMs: Infinity } },
        ', option "shutdown": option "deadlineMs" is Infinity; it must be a number of milliseconds, 0 to 2147483647',
      ],
      [{ shutdown: { deadline: 5 } }, ', option "shutdown": unknown option "deadline". Did you mean "deadlineMs"?'],
      [{ shutdown: 5 }, ', option "shutdown": the options are 5; they must be an object'],
      [{ unknownJobMs: -1 }, `option "unknownJobMs" is -1; it must be ${milliseconds}`],
      [{ workers: 'no' }, 'option "workers" is "no"; it must be true or false'],
      [{ worker: { concurrency: 5 }, worke: 5 }, 'unknown option "worke". Did you mean "worker"?'],
      [
        { queue: 'jobs' },
        expect.stringContaining('unknown option "queue". The options are: maxRuntimeMs, ') as unknown as string,
      ],
    ];
    const wrongProcessor: typeof wrong = [
      ...wrong.map(([options, message]) => [{ ...known, ...options }, message] as const),
      [{}, "it names no queue. Give it one: { queue: '...' }"],
      [{ ...known, queue: '' }, 'option "queue" is ""; it must be a string that is not empty'],
      [{ ...known, queue: 5 }, 'option "queue" is 5; it must be a string that is not empty'],
      [{ ...known, name: '' }, 'option "name" is ""; it must be a string that is not empty'],
      [{ ...known, version: Number.NaN }, 'option "version" is NaN; it must be a string or a number'],
      [{ ...known, version: {} }, 'option "version" is {}; it must be a string or a number'],
      [{ ...known, onChange: 'skip' }, `option "onChange" is "skip"; it must be 'fail', 'restart' or a function`],
      [
        { ...known, transactions: {} },
        'option "transactions" is {}; it must be the token of a provider: a class, a string or a symbol',
      ],
      [
        { ...known, transactions: 'host', itemsPerTransaction: 0 },
        'option "itemsPerTransaction" is 0; it must be a whole number, 1 or more',
      ],
      [
        { ...known, itemsPerTransaction: 5 },
        '"itemsPerTransaction" is set, but there are no transactions. Set "transactions" too',
      ],
      [{ ...known, nam: 'x' }, 'unknown option "nam". Did you mean "name"?'],
      [
        { ...known, shutdown: {} },
        expect.stringContaining('unknown option "shutdown". The options are: maxRuntimeMs, ') as never,
      ],
    ];
    /** Options that do not exist yet. Accepted silently, they would have no effect. */
    const later = {
      health: { signals: [] },
      window: { from: '22:00', to: '06:00' },
    };

    const at = (place: string, message: string) => (message.startsWith(',') ? place + message : `${place}: ${message}`);
    const expected = (place: string, message: unknown) =>
      typeof message === 'string' ? at(place, message) : (message as string);

    it.each(wrongModule)('forRoot refuses %o', (options, message) => {
      const configure = () => IterationModule.forRoot(options as IterationOptions);
      expect(configure).toThrow(InvalidOptionsError);
      expect(thrownBy(configure)).toMatchObject({ message: expected('IterationModule', message) });
    });

    it.each(wrongModule)('forRootAsync refuses %o', async (options, message) => {
      const imports = [
        BullModule.forRoot(queues.place as never),
        IterationModule.forRootAsync({ useFactory: async () => options as IterationOptions }),
      ];
      const error: unknown = await queues.startModule(moduleOf([], imports)).catch((thrown) => thrown);
      expect(error).toBeInstanceOf(InvalidOptionsError);
      expect(error).toMatchObject({ message: expected('IterationModule', message) });
    });

    it.each([
      [null, 'null'],
      ['jobs', '"jobs"'],
      [[], '[]'],
    ])('forRoot refuses %o as its options', (options, printed) => {
      const message = `IterationModule: the options are ${printed}; they must be an object`;
      expect(thrownBy(() => IterationModule.forRoot(options as never))).toMatchObject({ message });
    });

    it.each(wrongProcessor)('processors refuse %o', async (options, message) => {
      await expectRefusal(
        { processors: [processorOf(options)] },
        InvalidOptionsError,
        expected('@IterativeProcessor of Wrong', message),
      );
    });

    it.each([[undefined], [null], ['']])('the application refuses @IterativeProcessor(%o)', async (options) => {
      const error = await refusalOf({ processors: [processorOf(options)] });
      expect(error).toBeInstanceOf(InvalidOptionsError);
      expect((error as Error).message).toContain('@IterativeProcessor of Wrong: ');
    });

    it.each(Object.entries(later))('processors and forRoot refuse the unknown option %s', async (name, value) => {
      const error = await refusalOf({ processors: [processorOf({ ...known, [name]: value })] });
      expect(error).toBeInstanceOf(InvalidOptionsError);
      expect((error as Error).message).toMatch(
        new RegExp(
          `^@IterativeProcessor of Wrong: unknown option "${name}". (Did you mean "\\w+"\\?|The options are: .*)$`,
        ),
      );
      expect(thrownBy(() => IterationModule.forRoot({ [name]: value } as never))).toBeInstanceOf(InvalidOptionsError);
    });

    it('worker options that BullMQ refuses fail the start with an error that names the queue', async () => {
      const options = { processors: [processorOf({ ...known, worker: { drainDelay: 0 } })] };
      await expectRefusal(
        options,
        InvalidOptionsError,
        'BullMQ refuses the worker of the queue "jobs" (Wrong): drainDelay must be greater than 0. See the option "worker"',
      );
      expect(await refusalOf(options)).toHaveProperty('cause.message', 'drainDelay must be greater than 0');
    });

    it('an option that is undefined has its default', async () => {
      const options = {
        maxRuntimeMs: undefined,
        checkpoint: { everyMs: undefined, everyItems: undefined },
        worker: { concurrency: undefined, lockDuration: undefined, maxStalledCount: undefined },
      };
      const app = await queues.start({ processors: [processorOf({ ...known, ...options })], iteration: options });
      const job = await app.settled(await app.queue().add('letters', {}));
      expect(job.failedReason).toBeUndefined();
      expect(handled).toEqual(['Wrong a', 'Wrong b']);
    });
  });
});

function thrownBy(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  return undefined;
}

describeQueues('discovery', ['redis'], (queues) => {
  /** Runs one job of this name. @returns what the handlers handled. */
  async function handledOf(options: AppOptions, name = 'letters'): Promise<string[]> {
    const app = await queues.start(options);
    const job = await app.settled(await app.queue().add(name, { letters: 'ab' }));
    expect(job.failedReason).toBeUndefined();
    return handled;
  }

  it('@Injectable works above and below @IterativeProcessor', async () => {
    class Dependency {}
    @Injectable()
    @IterativeProcessor({ queue: 'jobs', name: 'above' })
    class Above extends Letters {
      constructor(readonly dependency: Dependency) {
        super();
      }
      override each(letter: string) {
        handled.push(`${letter} ${this.dependency.constructor.name} above`);
      }
    }
    @IterativeProcessor({ queue: 'jobs', name: 'below' })
    @Injectable()
    class Below extends Letters {
      constructor(readonly dependency: Dependency) {
        super();
      }
      override each(letter: string) {
        handled.push(`${letter} ${this.dependency.constructor.name} below`);
      }
    }
    const processors = [Above, Below, Dependency];
    await handledOf({ processors }, 'above');
    expect(await handledOf({ processors }, 'below')).toEqual([
      'a Dependency above',
      'b Dependency above',
      'a Dependency below',
      'b Dependency below',
    ]);
  });

  it('the decorated methods of a processor may be in any order', async () => {
    @IterativeProcessor(known)
    class Reversed {
      @OnIteration('complete') done(_context: IterationContext) {
        handled.push('complete');
      }
      @AroundIteration() async around(_context: IterationContext, next: () => Promise<void>) {
        await next();
      }
      @EachIteration() handle(letter: string) {
        handled.push(letter);
      }
      @OnIteration('start') begin(_context: IterationContext) {
        handled.push('start');
      }
      @BuildEnumerator() letters({ cursor: _ }: BuildContext) {
        return [['a', 0]] as const;
      }
    }
    expect(await handledOf({ processors: [Reversed] })).toEqual(['start', 'a', 'complete']);
  });

  it('a subclass inherits decorated methods; an override keeps its role with and without decorator', async () => {
    abstract class Base {
      @BuildEnumerator() build({ cursor: _ }: BuildContext) {
        return [['a', 0]] as const;
      }
      @EachIteration() each(letter: string) {
        handled.push(`base ${letter}`);
      }
      @OnIteration('start') begin(_context: IterationContext) {
        handled.push('base start');
      }
      @OnIteration('complete') done(_context: IterationContext) {
        handled.push('base complete');
      }
    }
    @IterativeProcessor(known)
    class Derived extends Base {
      override each(letter: string) {
        handled.push(`derived ${letter}`);
      }
      @OnIteration('start') override begin(context: IterationContext) {
        super.begin(context);
        handled.push('derived start');
      }
      @OnIteration('start') next(_context: IterationContext) {
        handled.push('derived next');
      }
    }
    expect(await handledOf({ processors: [Derived] })).toEqual([
      'base start',
      'derived start',
      'derived next',
      'derived a',
      'base complete',
    ]);
  });

  it('a subclass inherits @IterativeProcessor from its base class', async () => {
    class Derived extends processorOf(known, 'Base') {}
    expect(await handledOf({ processors: [Derived] })).toEqual(['Derived a', 'Derived b']);
  });

  it('a subclass of a processor can handle jobs of another name', async () => {
    const Base = processorOf(known, 'Base');
    @IterativeProcessor({ queue: 'jobs', name: 'other' })
    class Derived extends Base {}
    const processors = [Base, Derived];
    await handledOf({ processors });
    expect(await handledOf({ processors }, 'other')).toEqual(['Base a', 'Base b', 'Derived a', 'Derived b']);
  });

  const Custom = processorOf(known, 'Custom');
  it.each<[string, Provider[]]>([
    ['useFactory', [{ provide: 'token', useFactory: () => new Custom() }]],
    ['an async useFactory with its class as token', [{ provide: Custom, useFactory: async () => new Custom() }]],
    ['useFactory with inject', ['x', { provide: Custom, inject: ['value'], useFactory: () => new Custom() }] as never],
    ['useClass', [{ provide: 'token', useClass: Custom }]],
    ['useValue', [{ provide: 'token', useValue: new Custom() }]],
    ['useExisting next to the class', [{ provide: 'alias', useExisting: Custom }, Custom]],
    [
      'useExisting before a factory',
      [
        { provide: 'alias', useExisting: Custom },
        { provide: Custom, useFactory: () => new Custom() },
      ],
    ],
  ])('a processor provided by %s is found once', async (_, providers) => {
    const processors = providers.filter((provider) => (provider as unknown) !== 'x');
    expect(await handledOf({ processors: [{ provide: 'value', useValue: 1 }, ...processors] })).toEqual([
      'Custom a',
      'Custom b',
    ]);
    expect(queues.logs.filter((line) => line.startsWith('warn'))).toEqual([]);
  });

  it('a processor that two modules provide handles each job once, with a warning', async () => {
    const imports = [moduleOf([Custom], [], 'OneModule'), moduleOf([Custom], [], 'OtherModule')];
    expect(await handledOf({ imports })).toEqual(['Custom a', 'Custom b']);
    expect(queues.logs.filter((line) => line.startsWith('warn'))).toEqual([
      'warn Custom is provided more than once, by OneModule and OtherModule: the one of OneModule handles its jobs. Provide it once and export it',
    ]);
  });

  it('a processor that its module exports to other modules logs no warning', async () => {
    @Module({ providers: [Custom], exports: [Custom] })
    class Exporting {}
    const imports = [moduleOf([], [Exporting], 'OneModule'), moduleOf([], [Exporting], 'OtherModule')];
    expect(await handledOf({ imports })).toEqual(['Custom a', 'Custom b']);
    expect(queues.logs.filter((line) => line.startsWith('warn'))).toEqual([]);
  });

  it('providers that are not processors are ignored', async () => {
    const others: Provider[] = [
      { provide: 'null', useValue: null },
      { provide: 'undefined', useFactory: () => undefined },
      { provide: 'bare', useValue: Object.create(null) },
      { provide: 'class', useValue: Custom },
      { provide: 'number', useValue: 5 },
    ];
    expect(await handledOf({ processors: [...others, processorOf(known, 'Real')] })).toEqual(['Real a', 'Real b']);
  });

  it('a named processor gets the jobs of its name; an unnamed processor gets all other jobs', async () => {
    const processors = [
      processorOf('jobs', 'Others'),
      processorOf({ queue: 'jobs', name: 'x' }, 'X'),
      processorOf({ queue: 'jobs', name: 'y' }, 'Y'),
    ];
    const app = await queues.start({ processors });
    for (const name of ['x', 'z', 'y', 'Others', '__proto__']) {
      await app.settled(await app.queue().add(name, { letters: 'a' }));
    }
    expect(handled).toEqual(['X a', 'Others a', 'Y a', 'Others a', 'Others a']);
  });

  it('decorated methods may be named by symbols', async () => {
    const [build, each, start, around] = [Symbol('build'), Symbol('each'), Symbol('start'), Symbol('around')] as const;
    @IterativeProcessor(known)
    class Symbols {
      @BuildEnumerator() [build]({ cursor: _ }: BuildContext): (readonly [string, number])[] {
        return [['a', 0]];
      }
      @EachIteration() [each](letter: unknown) {
        handled.push(`each ${letter}`);
      }
      @AroundIteration() async [around](_context: IterationContext, next: () => Promise<void>) {
        handled.push('around');
        await next();
      }
      @OnIteration('start') [start](_context: IterationContext) {
        handled.push('start');
        throw new Error('once');
      }
    }
    const app = await queues.start({ processors: [Symbols] });
    await app.settled(await app.queue().add('letters', {}));
    expect(handled).toEqual(['start']);
  });

  it('several hooks of one event run in class order; one hook can serve several events', async () => {
    @IterativeProcessor(known)
    class Hooks extends Letters {
      @OnIteration('complete') first(_context: IterationContext) {
        handled.push('first');
      }
      @OnIteration('start')
      @OnIteration('complete')
      both(_context: IterationContext) {
        handled.push('both');
      }
      @OnIteration('complete') last(_context: IterationContext) {
        handled.push('last');
      }
    }
    expect(await handledOf({ processors: [Hooks] })).toEqual(['both', 'Hooks a', 'Hooks b', 'first', 'both', 'last']);
  });

  it('every @AroundIteration wraps each try of an item, the first one outermost', async () => {
    let failures = 1;
    @IterativeProcessor(known)
    class Wrapped extends Letters {
      @AroundIteration() async outer({ item, processed }: IterationContext, next: () => Promise<void>) {
        handled.push(`outer ${item} ${processed}`);
        await next();
        handled.push(`outer ${item} done`);
      }
      @AroundIteration() async inner({ item }: IterationContext, next: () => Promise<void>) {
        handled.push(`inner ${item}`);
        await next();
      }
      override async each(letter: string) {
        handled.push(letter);
        if (letter === 'b' && failures-- > 0) throw new Error('once');
      }
    }
    const app = await queues.start({ processors: [Wrapped] });
    const job = await app.settled(await app.queue().add('letters', {}, { attempts: 2 }));
    expect(job.returnvalue).toEqual({ processed: 2, skipped: 0 });
    expect(handled).toEqual([
      ...['outer a 0', 'inner a', 'a', 'outer a done'],
      ...['outer b 1', 'inner b', 'b'],
      ...['outer b 1', 'inner b', 'b', 'outer b done'],
    ]);
  });

  it('an item is finished when an @AroundIteration swallows its error or does not call next', async () => {
    @IterativeProcessor(known)
    class Lenient extends Letters {
      @AroundIteration() async around({ item }: IterationContext, next: () => Promise<void>) {
        if ((item as unknown) === 'a') return;
        await next().catch((error: Error) => handled.push(error.message));
      }
      override each(letter: string) {
        throw new Error(`no ${letter}`);
      }
    }
    const app = await queues.start({ processors: [Lenient] });
    const job = await app.settled(await app.queue().add('letters', { letters: 'abc' }));
    expect(job.returnvalue).toEqual({ processed: 3, skipped: 0 });
    expect(handled).toEqual(['no b', 'no c']);
  });

  it('an application starts when no module provides a processor; enqueue refuses that processor', async () => {
    const Nowhere = processorOf({ queue: 'jobs', name: 'nowhere' }, 'Nowhere');
    const app = await queues.start({ processors: [Custom] });
    const error: unknown = await app.iterations.enqueue(Nowhere, {}).catch((thrown) => thrown);
    expect(error).toBeInstanceOf(InvalidProcessorError);
    expect((error as Error).message).toBe(
      'Nowhere: it is no provider of any module, though this application handles its queue "jobs": its jobs would fail as unknown. Add it to a module\'s providers',
    );
    expect(await app.queue().getJobCounts()).toMatchObject({ waiting: 0, delayed: 0 });
  });
});

describeQueues('discovery of queues', BACKENDS, (queues) => {
  const workers = recordWorkers();

  it('a queue that two modules register has one worker', async () => {
    const registered = () => BullModule.registerQueue({ name: 'jobs' });
    const feature = (name: string) =>
      moduleOf([processorOf({ queue: 'jobs', name }, name)], [registered()], `${name}Module`);
    const app = await queues.start({ imports: [feature('one'), feature('two')] });
    for (const name of ['one', 'two']) await app.settled(await app.queue().add(name, { letters: 'a' }));

    expect(handled).toEqual(['one a', 'two a']);
    expect(workers.map(({ name }) => name)).toEqual(['jobs']);
  });
});

describe('a queue that is registered twice', () => {
  const queue = { name: 'jobs', connection: { host: 'one' }, prefix: undefined, queue: {} } as RegisteredQueue;

  it.each([
    ['an equal connection is the same queue', { connection: { host: 'one' } }, true],
    ["BullMQ's default prefix, written out, is the same queue", { prefix: 'bull' }, true],
    ['another connection is another queue', { connection: { host: 'other' } }, false],
    ['another prefix is another queue', { prefix: 'other' }, false],
    ['another name is another queue', { name: 'other' }, false],
  ])('%s', (_, difference, same) => {
    expect(sameQueue(queue, { ...queue, queue: {} as Queue, ...difference })).toBe(same);
  });
});
