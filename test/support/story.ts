import { Injectable, type Type } from '@nestjs/common';
import {
  type BuildContext,
  BuildEnumerator,
  EachIteration,
  EnumeratorBuilder,
  type EnumeratorLike,
  type Interruption,
  type IterationContext,
  type IterationEvents,
  IterativeProcessor,
  OnIteration,
  type ProcessorOptions,
  type RunEnd,
} from '../../lib/index.js';

type Context = IterationContext<Data>;
export type Data = { readonly letters?: string; readonly [key: string]: unknown };

/** What the processor of a story does. Tests may replace each part between runs. */
export interface Script {
  /** Builds the source: by default the letters of the job's data, or `abcde`. */
  build?: (context: BuildContext<Data>, enumerators: EnumeratorBuilder) => unknown;
  each?: (letter: string, context: Context) => unknown;
  /** Called by every hook, with its line of the story. */
  hook?: (event: string, context: Context, detail?: unknown) => unknown;
}

/**
 * A processor that records the events of its jobs, in order: `start`, `a`, `b`, `interrupt shutdown`, `end interrupt`.
 */
export interface StoryProcessor {
  readonly type: Type;
  readonly story: string[];
  readonly script: Script;
}

export function storyProcessor(script: Script = {}, options: Partial<ProcessorOptions> = {}): StoryProcessor {
  const story: string[] = [];

  const record = (event: string, context: Context, detail?: unknown) => {
    story.push(event);
    return script.hook?.(event, context, detail);
  };

  @Injectable()
  @IterativeProcessor({ queue: 'jobs', name: 'story', ...options })
  class Story {
    constructor(private readonly enumerators: EnumeratorBuilder) {}

    @BuildEnumerator()
    build(context: BuildContext<Data>): EnumeratorLike<string> {
      const built = script.build
        ? script.build(context, this.enumerators)
        : this.enumerators.array([...(context.data.letters ?? 'abcde')], { cursor: context.cursor });
      return built as EnumeratorLike<string>;
    }

    @EachIteration()
    each(letter: string, context: Context) {
      const returned = script.each?.(letter, context);
      if (!(returned instanceof Promise)) {
        story.push(letter);
        return returned;
      }
      return returned.then(() => {
        story.push(letter);
      });
    }

    @OnIteration('start') start(context: Context) {
      return record('start', context);
    }
    @OnIteration('resume') resume(context: Context) {
      return record('resume', context);
    }
    @OnIteration('interrupt') interrupt(context: Context, { reason }: Interruption) {
      return record(`interrupt ${reason}`, context);
    }
    @OnIteration('complete') complete(context: Context) {
      return record('complete', context);
    }
    @OnIteration('skip') skip(context: Context, detail: IterationEvents['skip']) {
      return record(`skip ${(detail.error as Error).message}`, context, detail);
    }
    @OnIteration('fail') fail(context: Context, detail: IterationEvents['fail']) {
      return record(`fail ${(detail.error as Error).message}`, context, detail);
    }
    @OnIteration('cancel') cancel(context: Context, { error }: { error: unknown }) {
      return record(`cancel ${(error as Error).message}`, context);
    }
    @OnIteration('end') end(context: Context, { outcome }: RunEnd) {
      return record(`end ${outcome}`, context);
    }
  }
  return { type: Story, story, script };
}

/** Holds the handler of a story at one letter until its run is asked to stop. */
export class Hold {
  #reach!: () => void;
  readonly #reached = new Promise<void>((resolve) => {
    this.#reach = resolve;
  });

  constructor(private readonly at: string) {}

  /** Resolves when the handler is there. */
  get reached(): Promise<void> {
    return this.#reached;
  }

  readonly each = async (letter: string, context: Context): Promise<void> => {
    if (letter !== this.at) return;
    this.#reach();
    await interrupted(context);
  };
}

/** Resolves when the run has been asked to stop. */
export async function interrupted(context: Context): Promise<void> {
  while (!context.interruption) await new Promise((resolve) => setImmediate(resolve));
}
