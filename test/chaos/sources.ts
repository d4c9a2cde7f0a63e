import type pg from 'pg';
import { Column, type DataSource, Entity, PrimaryColumn, type SelectQueryBuilder } from 'typeorm';
import type { Built, EnumeratorBuilder } from '../../lib/index.js';
import type { PrismaClient } from '../support/prisma/generated/client.js';

/** Every kind of source, in the order in which the workload adds jobs of them. */
export const KINDS = [
  'array',
  'typeorm.records',
  'csv.rows',
  'prisma.records',
  'nested',
  'keyset',
  'pages',
  'typeorm.batches',
  'times',
  'prisma.batches',
  'csv.batches',
  'nested typeorm',
] as const;
export type Kind = (typeof KINDS)[number];

/** The most records that a job can have: the table and the file have this many. */
export const MAX_SIZE = 3_000;
/** Records of a batch, a page and an outer item; the size of a job is a multiple of it. */
export const GROUP = 20;

/** The table of the tests' Prisma schema. Its ids have gaps. */
@Entity('Entry')
export class Entry {
  @PrimaryColumn()
  id!: number;

  @Column()
  name!: string;
}

export const FILL_ENTRIES = `INSERT INTO "Entry" SELECT n * 3, 'entry ' || n, now() FROM generate_series(0, ${MAX_SIZE - 1}) n`;
export const CSV = `id,name\n${Array.from({ length: MAX_SIZE }, (_, n) => `${n * 3},"entry\n${n}"\n`).join('')}`;

/** What the sources of a worker process read from. */
export interface Surroundings {
  readonly enumerators: EnumeratorBuilder;
  readonly pool: pg.Pool;
  readonly typeorm: DataSource;
  readonly prisma: PrismaClient;
  readonly csv: string;
}

type Numbered = { readonly id: number | string };
/** An item of any of the sources. */
export type ChaosItem = number | Numbered | readonly Numbered[];

export function sourceOf(
  kind: Kind,
  size: number,
  { enumerators, pool, typeorm, prisma, csv, cursor }: Surroundings & { readonly cursor: never },
): Built<ChaosItem> {
  const at = { cursor };
  const below = size * 3;
  const entries = () => entriesOf(typeorm, size);
  const groups = Array.from({ length: size / GROUP }, (_, group) => group);
  switch (kind) {
    case 'array':
      return enumerators.array(recordsOf(0, size), at);
    case 'times':
      return enumerators.times(size, at);
    case 'typeorm.records':
      return enumerators.typeorm.records(entries(), { ...at, pageSize: 50 });
    case 'typeorm.batches':
      return enumerators.typeorm.batches(entries(), { ...at, batchSize: GROUP });
    case 'prisma.records':
      return enumerators.prisma.records(prisma.entry, { where: { id: { lt: below } } }, { ...at, pageSize: 50 });
    case 'prisma.batches':
      return enumerators.prisma.batches(prisma.entry, { where: { id: { lt: below } } }, { ...at, batchSize: GROUP });
    case 'csv.rows':
      return enumerators.take(enumerators.csv.rows<Numbered>(csv, { ...at, columns: true }), size);
    case 'csv.batches':
      return enumerators.take(
        enumerators.csv.batches<Numbered>(csv, { ...at, columns: true, batchSize: GROUP }),
        size / GROUP,
      );
    case 'keyset':
      return enumerators.keyset({
        ...at,
        pageSize: 50,
        fetch: async (after: number | null, limit) => {
          const sql = 'SELECT id FROM "Entry" WHERE id > $1 AND id < $2 ORDER BY id LIMIT $3';
          return (await pool.query<{ id: number }>(sql, [after ?? -1, below, limit])).rows;
        },
        key: ({ id }) => id,
      });
    case 'pages':
      return enumerators.pages({
        ...at,
        fetch: async (token: number | null) => {
          const page = token ?? 0;
          return { items: recordsOf(page * GROUP, GROUP), next: page + 1 < size / GROUP ? page + 1 : null };
        },
      });
    case 'nested':
      return enumerators.nested(
        [(at) => enumerators.array(groups, at), (group, at) => enumerators.array(recordsOf(group * GROUP, GROUP), at)],
        at,
      );
    case 'nested typeorm':
      return enumerators.nested(
        [
          (at) => enumerators.array(groups, at),
          (group, at) => {
            const from = group * GROUP * 3;
            const query = entries().andWhere('entry.id >= :from AND entry.id < :to', { from, to: from + GROUP * 3 });
            return enumerators.typeorm.records(query, { ...at, pageSize: 7 });
          },
        ],
        at,
      );
  }
}

/** The table's first entries. */
export function entriesOf(typeorm: DataSource, size: number): SelectQueryBuilder<Entry> {
  return typeorm
    .getRepository(Entry)
    .createQueryBuilder('entry')
    .where('entry.id < :below', { below: size * 3 });
}

/** The positions of an item's first and last record in its job, computed from the item itself. */
export function spanOf(item: ChaosItem): { readonly first: number; readonly last: number } {
  if (typeof item === 'number') return { first: item, last: item };
  const positions = [item].flat().map(({ id }) => Number(id) / 3);
  return { first: positions[0] as number, last: positions.at(-1) as number };
}

export function recordsOf(from: number, count: number): Numbered[] {
  return Array.from({ length: count }, (_, offset) => ({ id: (from + offset) * 3 }));
}
