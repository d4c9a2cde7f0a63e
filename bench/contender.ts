import type { IterationResult } from '../lib/index.js';
import type { BenchApp } from './app.js';

/** A contender that must handle exactly this many items: none may win by doing less. */
export function counted(items: number, loop: () => Promise<number>): () => Promise<void> {
  return async () => {
    const count = await loop();
    if (count !== items) throw new Error(`the contender handled ${count} items of ${items}`);
  };
}

/** A contender that is a whole job over this many items, from `add` to its end. */
export function jobOver(items: number, app: BenchApp, name: string, data: unknown = {}): () => Promise<void> {
  return counted(items, async () => ((await app.run(name, data)) as IterationResult).processed);
}
