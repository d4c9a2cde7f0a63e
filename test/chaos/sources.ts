import type pg from 'pg';
import { Column, type DataSource, Entity, PrimaryColumn } from 'typeorm';
import type { Built, EnumeratorBuilder } from '../../lib/index.js';
import type { PrismaClient } from '../support/prisma/generated/client.js';

/** Every kind of source, in the order in which jobs are made of them. */
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

/** The most records that a job can have: so many are in the table and in the file. */
export const MAX_SIZE = 3_000;
/** Jobs have a multiple of so many records: batches, pages and outer items have this many. */
export const GROUP = 20;

/** The table of the Prisma schema of the tests. Between two ids others could be. */
@Entity('Entry')
export class Entry {
  @PrimaryColumn()
  id!: number;

  @Column()
  name!: string;
}

export const FILL_ENTRIES = `INSERT INTO "Entry" SELECT n * 3, 'entry ' || n, now() FROM generate_series(0, ${MAX_SIZE - 1}) n`;
export const CSV = `id,name\n${Array.from({ length: MAX_SIZE }, (_, n) => `${n * 3},"entry\n${n}"\n`).join('')}`;

/** Where the sources of a worker process read. */
export interface Surroundings {
  readonly enumerators: EnumeratorBuilder;
  readonly pool: pg.Pool;
  readonly typeorm: DataSource;
  readonly prisma: PrismaClient;
  readonly csv: string;
}

type Numbered = { readonly id: number | string };
/** What any of the sources yields. */
export type ChaosItem = number | Numbered | readonly Numbered[];

export function sourceOf(
  kind: Kind,
  size: number,
  { enumerators, pool, typeorm, prisma, csv, cursor }: Surroundings & { readonly cursor: never },
): Built<ChaosItem> {
  const at = { cursor };
  const below = size * 3;
  const entries = () => typeorm.getRepository(Entry).createQueryBuilder('entry').where('entry.id < :below', { below });
  const groups = Array.from({ length: size / GROUP }, (_, group) => group);
  switch (kind) {
    case 'array':
      return enumerators.array(records(0, size), at);
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
          return { items: records(page * GROUP, GROUP), next: page + 1 < size / GROUP ? page + 1 : null };
        },
      });
    case 'nested':
      return enumerators.nested(
        [(at) => enumerators.array(groups, at), (group, at) => enumerators.array(records(group * GROUP, GROUP), at)],
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

/** Which records of its job an item is made of, by what it holds itself. */
export function spanOf(item: ChaosItem): { readonly first: number; readonly last: number } {
  if (typeof item === 'number') return { first: item, last: item };
  const positions = [item].flat().map(({ id }) => Number(id) / 3);
  return { first: positions[0] as number, last: positions.at(-1) as number };
}

function records(from: number, count: number): Numbered[] {
  return Array.from({ length: count }, (_, offset) => ({ id: (from + offset) * 3 }));
}
