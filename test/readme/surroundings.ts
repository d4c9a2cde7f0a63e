/** What stands around a `ts` snippet of the README, by its first line: the file that it names, or its code. */
export const SURROUNDINGS: Readonly<Record<string, (snippet: string) => string>> = {
  // The problem is shown without its imports.
  "@Processor('maintenance')": (snippet) => `
    import { Processor, WorkerHost } from '@nestjs/bullmq';
    import { InjectRepository } from '@nestjs/typeorm';
    import type { Job } from 'bullmq';
    import { Repository } from 'typeorm';
    import { User } from './user.entity.js';
    ${snippet.replace(BODY, 'console.log(user)')}
  `,

  // This one is run: its handler passes each user to `mail`.
  '// notify-users.ts': (snippet) => `
    ${snippet.replace(BODY, 'return mail.send(user, arguments[1])')}
    type Context = import('nestjs-iteration').IterationContext;
    export const mail = { send: async (_user: User, _context: Context) => {} };
  `,
};

/** Modules that the README's snippets import and do not show. */
export const MODULES: Readonly<Record<string, string>> = {
  'user.entity': `
    import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';
    @Entity() export class User {
      @PrimaryGeneratedColumn() id!: number;
      @Column() name!: string;
      @Column() plan!: string;
      @Column({ default: false }) migrated!: boolean;
    }
  `,
  'payment.entity': `
    import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';
    @Entity() export class Payment {
      @PrimaryGeneratedColumn() id!: number;
      @Column() user!: number;
    }
  `,
  orders: `
    export declare class Orders {
      upsert(order: { id: string; amount: number }): Promise<void>;
    }
  `,
  mailbox: `
    export interface Message { readonly id: string }
    export declare class Mailbox {
      since(id: string | null): AsyncIterable<Message>;
      archive(message: Message): Promise<void>;
    }
  `,
  bank: `
    export declare class Bank {
      charge(user: number): Promise<void>;
    }
  `,
};

/** What the README leaves out of a handler. */
const BODY = '/* … */';
