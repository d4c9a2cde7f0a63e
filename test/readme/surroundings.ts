/** Files that the snippets of the README import and do not show, by name. */
export const SURROUNDINGS: Readonly<Record<string, string>> = {
  mailer: `
    export class Mailer { async notify(_user: { name: string }): Promise<void> {} }
  `,
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
    export class Orders { async upsert(_order: { id: string; amount: number }): Promise<void> {} }
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
