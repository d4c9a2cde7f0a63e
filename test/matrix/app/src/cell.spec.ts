import 'reflect-metadata';
import { randomUUID } from 'node:crypto';
import { BullModule } from '@nestjs/bullmq';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { BuildContext } from 'nestjs-iteration';
import {
  BuildEnumerator,
  EachIteration,
  EnumeratorBuilder,
  IterationModule,
  IterationService,
  IterativeProcessor,
  OnIteration,
} from 'nestjs-iteration';
import { connection } from './connection.js';

let done: () => void;
const completed = new Promise<void>((resolve) => {
  done = resolve;
});

@IterativeProcessor('spec')
class Names {
  readonly seen: string[] = [];

  constructor(private readonly enumerators: EnumeratorBuilder) {}

  @BuildEnumerator()
  build({ cursor }: BuildContext<object>) {
    return this.enumerators.csv.rows<{ id: string }>('lines.csv', { cursor, columns: true });
  }

  @EachIteration()
  each(line: { id: string }): void {
    this.seen.push(line.id);
  }

  @OnIteration('complete')
  complete(): void {
    done();
  }
}

@Module({
  imports: [
    BullModule.forRootAsync({
      useFactory: async () => ({ connection: await connection(), prefix: `spec-${randomUUID()}` }),
    }),
    BullModule.registerQueue({ name: 'spec' }),
    IterationModule.forRoot(),
  ],
  providers: [Names],
})
class SpecModule {}

it('runs a job to its end', async () => {
  const app = await NestFactory.createApplicationContext(SpecModule, { logger: ['error'] });
  await app.get(IterationService).enqueue(Names, {});
  await completed;
  expect(app.get(Names).seen.length).toBe(600);
  await app.close();
}, 30_000);
