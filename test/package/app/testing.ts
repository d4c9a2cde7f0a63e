import 'reflect-metadata';
import assert from 'node:assert/strict';
import type { BuildContext } from 'nestjs-iteration';
import { BuildEnumerator, EachIteration, EnumeratorBuilder, IterativeProcessor } from 'nestjs-iteration';
import { iterate, resumeAtEveryPosition } from 'nestjs-iteration/testing';

@IterativeProcessor('jobs')
class Double {
  readonly doubled: number[] = [];

  constructor(private readonly enumerators: EnumeratorBuilder) {}

  @BuildEnumerator()
  build({ data, cursor }: BuildContext<{ count: number }>) {
    return this.enumerators.times(data.count, { cursor });
  }

  @EachIteration()
  each(number: number): void {
    this.doubled.push(2 * number);
  }
}

async function main(): Promise<void> {
  const processor = new Double(new EnumeratorBuilder());
  const { items, runs, state } = await iterate(processor, { data: { count: 3 }, interruptAfter: 2 });
  const numbers: number[] = items;
  assert.deepEqual([numbers, runs.length, state, processor.doubled], [[0, 1, 2], 2, 'completed', [0, 2, 4]]);
  const { positions } = await resumeAtEveryPosition((cursor) => new EnumeratorBuilder().times(5, { cursor }));
  assert.equal(positions, 5);
}

void main();
