import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prismaMigration, prismaModel } from '../../lib/index.js';
import { Compiled } from '../support/compile.js';
import { blocksOf, documentOf } from '../support/markdown.js';

const blocks = blocksOf(documentOf('docs/exactly-once.md'));
const snippets = blocks.filter(({ language }) => language === 'ts');

/** Files that the snippets import and do not show, by name. */
const SURROUNDINGS = {
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
};

let compiled: Compiled;
beforeAll(() => {
  const shown = Object.fromEntries(snippets.map(({ module, text }) => [module, text]));
  compiled = new Compiled({ ...SURROUNDINGS, ...shown });
});
afterAll(() => compiled.remove());

describe('docs/exactly-once.md', () => {
  it('every snippet compiles unchanged, under the compiler options of the library', () => {
    expect(snippets.map(({ heading }) => heading)).toEqual(['Exactly once', 'TypeORM', 'Prisma']);
    expect(compiled.errors).toBe('');
  });

  it('the Prisma model and table equal the output of prismaModel() and prismaMigration()', () => {
    const text = (language: string) => blocks.find((block) => block.language === language)?.text.trim();
    expect(text('prisma')).toBe(prismaModel('postgresql').trim());
    const sql = blocks.find((block) => block.language === 'sql' && block.text.startsWith('CREATE'))?.text;
    expect(sql?.trim()).toBe(prismaMigration('postgresql').trim());
  });
});
