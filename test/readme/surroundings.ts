/** What stands around each `ts` snippet of the README, by the snippet's first line and in the README's order. */
export const SURROUNDINGS: Readonly<Record<string, (snippet: string) => string>> = {
  "@Processor('maintenance')": (snippet) => `
    import { Processor, WorkerHost } from '@nestjs/bullmq';
    import { InjectRepository } from '@nestjs/typeorm';
    import type { Job } from 'bullmq';
    import { Repository } from 'typeorm';
    ${USER}
    ${snippet.replace(BODY, 'console.log(user)')}
  `,

  // This one is run: its handler tells `mail` of each user.
  "@IterativeProcessor({ queue: 'maintenance', name: 'notify-users' })": (snippet) => `
    import { InjectRepository } from '@nestjs/typeorm';
    import { BuildEnumerator, EachIteration, EnumeratorBuilder, IterativeProcessor } from 'nestjs-iteration';
    import type { BuildContext, IterationContext } from 'nestjs-iteration';
    import { Repository } from 'typeorm';
    ${USER}
    export const mail = { send: async (_user: User, _context: IterationContext) => {} };
    ${snippet.replace(BODY, 'return mail.send(user, arguments[1])')}
  `,

  '@Module({': (snippet) => `
    import { BullModule } from '@nestjs/bullmq';
    import { Module } from '@nestjs/common';
    import { IterationModule } from 'nestjs-iteration';
    class NotifyUsers {}
    ${snippet}
  `,

  'const app = await NestFactory.create(AppModule);': (snippet) => `
    import { NestFactory } from '@nestjs/core';
    class AppModule {}
    ${snippet}
  `,

  "const job = await iterations.enqueue(NotifyUsers, { plan: 'pro' }, { jobId: 'notify-2026-11' });": (snippet) => `
    import type { Queue } from 'bullmq';
    import type { BuildContext, Enumerator, IterationService } from 'nestjs-iteration';
    declare class NotifyUsers {
      build(context: BuildContext<{ plan: string }>): Enumerator<{ id: number }>;
    }
    declare const iterations: IterationService;
    declare const queue: Queue;
    ${snippet}
    export { cursor, etaMs, percent, processed, state };
  `,

  '// this.users: Repository<User>': (snippet) => `
    import { InjectRepository } from '@nestjs/typeorm';
    import { BuildEnumerator, EachIteration, EnumeratorBuilder, IterativeProcessor } from 'nestjs-iteration';
    import type { BuildContext } from 'nestjs-iteration';
    import { Column, Entity, PrimaryGeneratedColumn, Repository, SelectQueryBuilder } from 'typeorm';
    @Entity() export class User {
      @PrimaryGeneratedColumn() id!: number;
      @Column() plan!: string;
      @Column() migrated!: boolean;
    }
    @IterativeProcessor('migrations')
    export class MigrateUsers {
      constructor(@InjectRepository(User) private users: Repository<User>, private enumerators: EnumeratorBuilder) {}
      ${snippet}
    }
  `,

  '@BuildEnumerator()': (snippet) => `
    import { BuildEnumerator, EachIteration, IterativeProcessor } from 'nestjs-iteration';
    import type { BuildContext } from 'nestjs-iteration';
    interface Message { readonly id: string }
    @IterativeProcessor('mailbox')
    export class ReadMailbox {
      constructor(private readonly mailbox: { since(id: string | null): AsyncIterable<Message> }) {}
      ${snippet}
      @EachIteration() read(message: Message) { console.log(message) }
    }
  `,

  '@IterativeProcessor({': (snippet) => `
    import { BuildEnumerator, EachIteration, IterativeProcessor } from 'nestjs-iteration';
    import type { BuildContext } from 'nestjs-iteration';
    ${snippet}
    export class Import {
      @BuildEnumerator() *build(_context: BuildContext): Generator<[string, number]> {}
      @EachIteration() each(_item: string) {}
    }
  `,

  'const letters = await iterations.deadLetters(job); // [{ cursor, error, tries, … }]': (snippet) => `
    import type { Job } from 'bullmq';
    import type { IterationService } from 'nestjs-iteration';
    declare const iterations: IterationService;
    declare const job: Job;
    ${snippet}
    export { again, letters };
  `,

  "@IterativeProcessor({ queue: 'maintenance', transactions: TypeOrmTransactionHost })": (snippet) => `
    import { InjectRepository } from '@nestjs/typeorm';
    import { BuildEnumerator, EachIteration, EnumeratorBuilder, IterativeProcessor, TypeOrmTransactionHost } from 'nestjs-iteration';
    import type { BuildContext, IterationContext } from 'nestjs-iteration';
    import { Repository } from 'typeorm';
    import type { EntityManager } from 'typeorm';
    ${USER}
    @Entity() export class Payment {
      @PrimaryGeneratedColumn() id!: number;
      @Column() user!: number;
    }
    ${snippet}
  `,

  "@IterativeProcessor({ queue: 'maintenance', name: 'sync-users', itemConcurrency: 50 })": (snippet) => `
    import { BuildEnumerator, EachIteration, EnumeratorBuilder, IterativeProcessor } from 'nestjs-iteration';
    import type { BuildContext } from 'nestjs-iteration';
    ${snippet}
    export class SyncUsers {
      constructor(private readonly enumerators: EnumeratorBuilder) {}
      @BuildEnumerator() build({ cursor }: BuildContext) { return this.enumerators.times(5, { cursor }); }
      @EachIteration() each(_item: number) {}
    }
  `,

  'const processor = app.get(NotifyUsers);': (snippet) => `
    import type { INestApplicationContext } from '@nestjs/common';
    import type { BuildContext, Enumerator } from 'nestjs-iteration';
    import { expect } from 'vitest';
    declare const app: INestApplicationContext;
    declare class NotifyUsers {
      build(context: BuildContext<{ plan: string }>): Enumerator<{ id: number }>;
    }
    ${snippet}
  `,
};

/** What the README leaves out of a handler. */
const BODY = '/* … */';

const USER = `
  import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';
  @Entity() export class User {
    @PrimaryGeneratedColumn() id!: number;
    @Column() name!: string;
    @Column() plan!: string;
  }
`;
