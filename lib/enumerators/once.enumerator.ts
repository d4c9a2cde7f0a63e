import {
  type At,
  type Bounds,
  checkOptions,
  type Enumerator,
  indexCursor,
  type PageReader,
  type Source,
  SourceEnumerator,
} from './contract/index.js';

/** One item without a value: a step that is done, or not. */
export function onceEnumerator(options: At): Enumerator<undefined, number> {
  checkOptions(options, ['cursor'], 'once');
  return new SourceEnumerator(new OnceSource(), indexCursor(options.cursor));
}

class OnceSource implements Source<undefined, number> {
  read({ after }: Bounds<number>): PageReader<undefined, number> {
    let done = after !== null;
    return {
      ahead: true,
      next() {
        if (done) return undefined;
        done = true;
        return { items: [undefined], cursorAt: () => 0 };
      },
      close() {},
    };
  }

  size(): number {
    return 1;
  }

  count(cursor: number): number {
    return cursor + 1;
  }
}
