import type { IterationResult } from '../lib/index.js';
import type { BenchApp } from './app.js';

/** A contender that goes over so many items, and counts them: none may win by doing less. */
export function counted(items: number, loop: () => Promise<number>): () => Promise<void> {
  return async () => {
    const count = await loop();
    if (count !== items) throw new Error(`it went over ${count} items of ${items}`);
  };
}

/** A contender that is a whole job over so many items, from `add` to its end. */
export function jobOver(items: number, app: BenchApp, name: string, data: unknown = {}): () => Promise<void> {
  return counted(items, async () => ((await app.run(name, data)) as IterationResult).processed);
}
