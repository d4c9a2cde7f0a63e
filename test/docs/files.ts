/** A table of users with these columns. */
const user = (columns: string) => `
  import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';
  @Entity() export class User {
    @PrimaryGeneratedColumn() id!: number;
    ${columns}
  }
`;

/** Files that the snippets of a page import and the page does not show, by page and name. */
export const FILES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'custom-enumerators': {
    bucket: `
      export interface StoredObject { readonly key: string }
      export declare class Bucket {
        list(of: { prefix: string; after: string | null; limit: number }): Promise<StoredObject[]>;
        verifyChecksum(object: StoredObject): Promise<void>;
      }
    `,
  },
  'exactly-once': {
    'order.entity': `
      import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';
      @Entity() export class Order { @PrimaryGeneratedColumn() id!: number; @Column() amount!: number }
    `,
    'booking.entity': `
      import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';
      @Entity() export class Booking {
        @PrimaryGeneratedColumn() id!: number;
        @Column() orderId!: number;
        @Column() amount!: number;
      }
    `,
    // What Prisma would generate for these two models.
    'prisma.client': `
      export interface Order { id: number; amount: number }
      type NewBooking = { data: { orderId: number; amount: number } };
      export namespace Prisma { export interface TransactionClient { booking: { create(args: NewBooking): Promise<unknown> } } }
    `,
    'prisma.service': `
      import type { PrismaDelegate } from 'nestjs-iteration';
      import type { Order, Prisma } from './prisma.client.js';
      export declare class PrismaService {
        order: PrismaDelegate<{ scalars: Order; name: 'Order'; objects: {}; composites: {} }, { where?: object }>;
        $transaction<R>(work: (transaction: Prisma.TransactionClient) => Promise<R>): Promise<R>;
        $queryRawUnsafe<T>(query: string, ...values: unknown[]): Promise<T>;
        $executeRawUnsafe(query: string, ...values: unknown[]): Promise<number>;
      }
    `,
  },
  migrating: {
    'user.entity': user('@Column() name!: string; @Column() plan!: string;'),
    'invoice.entity': `
      import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';
      @Entity() export class Invoice { @PrimaryGeneratedColumn() id!: number; @Column() paid!: boolean }
    `,
    mailer: 'export class Mailer { async notify(_user: { name: string }): Promise<void> {} }',
    bank: 'export class Bank { async charge(_id: number): Promise<void> {} }',
    orders: `
      export interface Order { readonly id: number }
      export class Orders {
        async page(_shop: string, _page: number): Promise<Order[]> { return []; }
        async save(_order: Order): Promise<void> {}
      }
    `,
  },
  parts: { 'user.entity': user('@Column() name!: string;') },
  performance: { 'user.entity': user('@Column() name!: string;') },
  recipes: {
    'order.entity': `
      import { Column, CreateDateColumn, DeleteDateColumn, Entity, PrimaryGeneratedColumn } from 'typeorm';
      @Entity('orders') export class Order {
        @PrimaryGeneratedColumn() id!: number;
        @CreateDateColumn({ type: 'timestamptz' }) createdAt!: Date;
        @DeleteDateColumn() deletedAt!: Date | null;
        @Column() customer!: string;
      }
    `,
    'account.entity': `
      import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';
      @Entity() export class Account {
        @PrimaryGeneratedColumn() id!: number;
        @Column() idle!: boolean;
        @Column() open!: boolean;
      }
    `,
    'user.entity': user('@Column() plan!: string;'),
    shards: `
      import { DataSource } from 'typeorm';
      export class Shards {
        readonly names: string[] = [];
        get(_name: string): DataSource { throw new Error('no such shard'); }
      }
    `,
  },
  shutdown: { 'app.module': 'export class AppModule {}' },
  scale: { 'user.entity': user('@Column() name!: string;') },
  workflows: {
    bank: 'export declare class Bank { refund(account: string): Promise<void> }',
    workflows: `
      export declare class Workflows { signal(workflow: string, name: string, detail: object): Promise<void> }
    `,
  },
};
