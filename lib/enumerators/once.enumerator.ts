import {
  type At,
  type Bounds,
  type Enumerator,
  indexCursor,
  type PageReader,
  type Source,
  SourceEnumerator,
} from './contract/index.js';

/** One item without a value: a step that is done, or not. */
export function onceEnumerator({ cursor }: At): Enumerator<undefined, number> {
  return new SourceEnumerator(new OnceSource(), indexCursor(cursor));
}

class OnceSource implements Source<undefined, number> {
  read({ after }: Bounds<number>): PageReader<undefined, number> {
    let done = after !== null;
    return {
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
}
