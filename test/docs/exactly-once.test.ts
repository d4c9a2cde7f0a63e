import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prismaMigration, prismaModel } from '../../lib/index.js';
import { Compiled } from '../support/compile.js';
import { blocksOf, documentOf } from '../support/markdown.js';

const blocks = blocksOf(documentOf('docs/exactly-once.md'));
const snippets = blocks.filter(({ language }) => language === 'ts');

const IMPORTS = `
  import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
  import { Injectable, Module } from '@nestjs/common';
  import { BuildEnumerator, CreateIterationCheckpoint1795305600000, EachIteration, EnumeratorBuilder, IterativeProcessor } from 'nestjs-iteration';
  import { PrismaTransactionHost, TypeOrmTransactionHost } from 'nestjs-iteration';
  import type { BuildContext, IterationContext } from 'nestjs-iteration';
  import { Column, DataSource, Entity, PrimaryGeneratedColumn, Repository } from 'typeorm';
  import type { EntityManager } from 'typeorm';
  export { Injectable, InjectRepository, Module, TypeOrmModule, BuildEnumerator, CreateIterationCheckpoint1795305600000, EachIteration,
    EnumeratorBuilder, IterativeProcessor, PrismaTransactionHost, TypeOrmTransactionHost, Column, DataSource, Entity, PrimaryGeneratedColumn, Repository };
  export type { BuildContext, EntityManager, IterationContext };
`;
const ENTITIES = `
  @Entity() export class Order { @PrimaryGeneratedColumn() id!: number; @Column() amount!: number }
  @Entity() export class Booking { @PrimaryGeneratedColumn() id!: number; @Column() orderId!: number; @Column() amount!: number }
`;
/** As Prisma would generate it for these two models. */
const PRISMA = `
  interface Order { id: number; amount: number }
  namespace Prisma { export interface TransactionClient { booking: { create(args: { data: Omit<Order, 'id'> & { orderId: number } | object }): Promise<unknown> } } }
  declare class PrismaService {
    order: import('nestjs-iteration').PrismaDelegate<{ scalars: Order; name: 'Order'; objects: {}; composites: {} }, { where?: object }>;
    $transaction<R>(work: (transaction: Prisma.TransactionClient) => Promise<R>): Promise<R>;
    $queryRawUnsafe<T>(query: string, ...values: unknown[]): Promise<T>;
    $executeRawUnsafe(query: string, ...values: unknown[]): Promise<number>;
  }
`;
const around = (heading: string) => (heading === 'Exactly once' ? ENTITIES : heading === 'Prisma' ? PRISMA : '');

let compiled: Compiled;
beforeAll(() => {
  compiled = new Compiled(
    Object.fromEntries(snippets.map(({ heading, module, text }) => [module, IMPORTS + around(heading) + text])),
  );
});
afterAll(() => compiled.remove());

describe('docs/exactly-once.md', () => {
  it('has only snippets that compile, as strictly as the library', () => {
    expect(snippets.map(({ heading }) => heading)).toEqual(['Exactly once', 'TypeORM', 'Prisma']);
    expect(compiled.errors).toBe('');
  });

  it("shows Prisma's model and table as the library gives them", () => {
    const text = (language: string) => blocks.find((block) => block.language === language)?.text.trim();
    expect(text('prisma')).toBe(prismaModel('postgresql').trim());
    const sql = blocks.find((block) => block.language === 'sql' && block.text.startsWith('CREATE'))?.text;
    expect(sql?.trim()).toBe(prismaMigration('postgresql').trim());
  });
});
