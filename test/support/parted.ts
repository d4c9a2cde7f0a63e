import { Injectable } from '@nestjs/common';
import {
  type BuildContext,
  BuildEnumerator,
  BuildPartitions,
  EachIteration,
  EnumeratorBuilder,
  type IterationContext,
  IterativeProcessor,
  OnIteration,
  type PartitionsContext,
  type ProcessorOptions,
} from '../../lib/index.js';

export interface Data {
  readonly parts: readonly string[];
}

export interface Script {
  each?: ((letter: string, context: IterationContext<Data>) => unknown) | undefined;
  /** Called in the `start` hook. */
  start?: () => unknown;
  /** Called while the list of parts is made. */
  split?: () => unknown;
}

/** A job over words: each word is a part, and each letter an item. */
export function partedProcessor(script: Script = {}, options: Partial<ProcessorOptions> = {}) {
  const story: string[] = [];
  let splits = 0;

  @Injectable()
  @IterativeProcessor({ queue: 'jobs', name: 'parted', worker: { concurrency: 4 }, ...options })
  class Parted {
    constructor(private readonly enumerators: EnumeratorBuilder) {}

    @BuildPartitions()
    async split({ data }: PartitionsContext<Data>) {
      splits++;
      await script.split?.();
      return data.parts;
    }

    @BuildEnumerator()
    build({ cursor, part }: BuildContext<Data, number, string>) {
      return this.enumerators.array([...(part as string)], { cursor });
    }

    @EachIteration()
    async each(letter: string, context: IterationContext<Data>) {
      await script.each?.(letter, context);
      story.push(letter);
    }

    @OnIteration('start') async start() {
      await script.start?.();
      story.push('start');
    }
    @OnIteration('complete') complete({ processed }: IterationContext<Data>) {
      story.push(`complete ${processed}`);
    }
    @OnIteration('fail') fail(_: IterationContext<Data>, { error }: { error: unknown }) {
      story.push(`fail ${(error as Error).message}`);
    }
  }
  return { type: Parted, story, script, splits: () => splits };
}

/** A {@link partedProcessor} by another name. */
export function wordsProcessor(script: Script = {}, options: Partial<ProcessorOptions> = {}) {
  return partedProcessor(script, { name: 'words', ...options });
}

/** A handler that throws for these letters. */
export function throwFor(bad: string) {
  return (letter: string) => {
    if (bad.includes(letter)) throw new Error(`bad ${letter}`);
  };
}
