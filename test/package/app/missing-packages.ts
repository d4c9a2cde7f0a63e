import 'reflect-metadata';
import assert from 'node:assert/strict';
import {
  CsvEnumeratorBuilder,
  IterationError,
  MissingDependencyError,
  PrismaEnumeratorBuilder,
  TypeOrmEnumeratorBuilder,
} from 'nestjs-iteration';

async function main(): Promise<void> {
  await assert.rejects(
    async () => {
      for await (const row of new CsvEnumeratorBuilder().rows('names.csv', { cursor: null })) console.log(row);
    },
    (error: unknown) => error instanceof MissingDependencyError && error.dependency === 'csv-parse',
  );
  // These read only objects that such a package made: without the package they refuse every argument.
  assert.throws(() => new TypeOrmEnumeratorBuilder().records({} as never, { cursor: null }), IterationError);
  assert.throws(
    () => new PrismaEnumeratorBuilder().records({} as never, {} as never, { cursor: null }),
    IterationError,
  );
}

void main();
