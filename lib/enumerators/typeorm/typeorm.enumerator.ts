import { Injectable } from '@nestjs/common';
import type { Cursor, Json } from '../../cursor.js';
import {
  type BatchOptions,
  batchEnumeratorOf,
  type Enumerator,
  enumeratorOf,
  type KeyColumn,
  type KeysetOptions,
  type PartitionOptions,
  resolveBatchOptions,
  resolveKeysetOptions,
  resolvePartitionOptions,
  type Source,
} from '../contract/index.js';
import { keyParts } from './key.js';
import { partitionsOf } from './partitions.js';
import { closed } from './queries.batch.js';
import { TypeOrmQueries } from './queries.js';
import { queryOf, withEagerRelations } from './query.js';
import { TypeOrmRecords } from './records.js';
import { copyOf } from './typeorm.workarounds.js';

/** A SelectQueryBuilder of TypeORM. */
export interface TypeOrmSelect<Entity> {
  /** As in TypeORM. */
  getMany(): Promise<Entity[]>;
  /** As in TypeORM. */
  getRawAndEntities(): Promise<{ entities: Entity[]; raw: unknown[] }>;
}

/** A Repository of TypeORM. */
export interface TypeOrmRepository<Entity> {
  /** As in TypeORM. */
  find(): Promise<Entity[]>;
  /** As in TypeORM. */
  createQueryBuilder(alias?: string): TypeOrmSelect<Entity>;
}

/** The SelectQueryBuilder that a repository makes, or that was given. */
export type SelectOf<Given> = Given extends { createQueryBuilder(alias?: string): infer Select; find(): unknown }
  ? Select
  : Given;

/** Enumerators over the rows of a TypeORM entity. */
@Injectable()
export class TypeOrmEnumeratorBuilder {
  /**
   * The entities of a query in the order of a key, one query a page. The cursor is the key's value, or the array of its
   * values if the key has several columns; NULL is `null`.
   *
   * Cursors have the database's full precision: they contain the database's value, not the entity's. The query is copied and
   * not changed. Its where, selects, joins, soft-deletion and parameters are kept. A Repository also loads the eager
   * relations that `find()` loads. Rows that are inserted or deleted meanwhile make no difference for other rows. A column
   * that may be NULL needs `nulls: 'first' | 'last'`.
   *
   * The table decides what type a key column has, not the entity. Before the first page one or two statements read types,
   * collations and NULLs from the catalogue. What a key may be:
   *
   * - PostgreSQL: any type whose order is the same in every session, with any collation.
   * - MariaDB and MySQL (types `mariadb` and `mysql`, by `mysql2` or `mysql`): numbers, texts of at most 160 characters, bytes
   *   of at most 1,000, uuid, date, time, datetime, and enum in the order of its values, without an index. Not timestamp,
   *   whose text repeats an hour when the clocks go back.
   * - SQLite (`sqljs`, `better-sqlite3`): any type, as its values are stored.
   * - Other databases, and tables that the catalogue does not show, such as temporary tables of MariaDB: integers, never NULL,
   *   without joins.
   *
   * If the database does not keep the primary key unique, one more row a page is read, to compare the texts of keys. Two keys
   * that differ only by what a collation ignores are not noticed.
   *
   * PostgreSQL, MariaDB and MySQL from 5.7 count the size for at most two seconds. After that it is the planner's estimate,
   * which may be far off. On an older MySQL it is always the estimate. So it is on PostgreSQL for a query with a QueryRunner
   * of the user, whose transaction must not be disturbed. SQLite counts to the end.
   *
   * @throws InvalidEnumeratorError for a query with an order, a limit or a grouping of its own, or with two columns of one
   * name. At the first page: for two rows with one primary key, for a key column that is not in the table or that is NOT NULL
   * only in the entity, and for a connection whose character set changes texts.
   * @throws InvalidOptionsError for an unknown option, and for a key column that is unknown, or nullable without `nulls`. At
   * the first page: for a column whose type in the table cannot be paged exactly.
   * @throws InvalidCursorError for a cursor of another key; at the first page for a value that its column cannot have.
   */
  records<Entity>(
    query: TypeOrmRepository<Entity> | TypeOrmSelect<Entity>,
    options: KeysetOptions,
  ): Enumerator<Entity> {
    const source = 'typeorm.records';
    const records = recordsOf(query, { ...resolveKeysetOptions(options, source), source });
    return enumeratorOf(records, options, readsOf(records));
  }

  /**
   * The entities of a query in arrays of `batchSize`; the last one is shorter. A batch's cursor is that of its last entity.
   * A batch can be halved. Everything else is as for {@link records}.
   */
  batches<Entity>(
    query: TypeOrmRepository<Entity> | TypeOrmSelect<Entity>,
    options: BatchOptions,
  ): Enumerator<Entity[]> {
    const source = 'typeorm.batches';
    const { batchSize, ...keyset } = resolveBatchOptions(options, source);
    const records = recordsOf(query, { ...keyset, source });
    return batchEnumeratorOf(records, { ...options, batchSize }, readsOf(records));
  }

  /**
   * One query per batch of `batchSize` rows, for a bulk update or delete: `query.update().set({ … }).execute()`,
   * `query.delete().execute()`, `query.softDelete().execute()`, or a select. No row is loaded. Only the last key of each batch
   * is read, which is its cursor, as for {@link records}.
   *
   * A batch is the rows in a range of the key that the where selects when the query is executed. A soft-deleted row, or a row
   * of another class of the table, is not in it unless the query selects it. A batch may be executed again, after a kill or
   * by two workers at once. Then it writes only to rows that still match. So let the update take its rows out of the where
   * (`processed = false`), and each row is written once. Rows that enter the range meanwhile belong to the batch, which may
   * then have more than `batchSize` rows, or none.
   *
   * In `update()`, `delete()`, `softDelete()` and `restore()` the where may name the alias, embedded columns and properties.
   * Each query is independent and unordered, and can be executed any number of times. Conditions that are added only narrow
   * it. A query with joins or common table expressions writes to its entity's rows by primary key, from a subquery. There two
   * workers at once may both write to one row.
   *
   * An update that changes a column of the key moves its rows; `@UpdateDateColumn()` is such an update. Rows that it moves
   * ahead come again if they still match, and no row is lost. Use the primary key, or columns that the update does not change.
   *
   * `size` is the number of batches; it shrinks with the rows that match. Batches can be halved, between the rows that match
   * at that time. It works on PostgreSQL, MariaDB, MySQL from 8.0, and SQLite. On MariaDB it has no `delete().returning()`.
   * Errors are those of {@link records}.
   *
   * @throws InvalidEnumeratorError also by `update(Other)`, for another entity than the query's.
   */
  queries<Given extends TypeOrmRepository<unknown> | TypeOrmSelect<unknown>>(
    query: Given,
    options: BatchOptions,
  ): Enumerator<SelectOf<Given>> {
    const source = 'typeorm.queries';
    const { key, batchSize } = resolveBatchOptions(options, source);
    const select = closed(queryOf<unknown>(query, source));
    const queries = new TypeOrmQueries(select, keyParts(copyOf(select).select('1'), key, source), batchSize);
    return enumeratorOf(queries as Source<unknown> as Source<SelectOf<Given>>, options, readsOf(queries));
  }

  /**
   * Cuts a query into at most `count` parts by its key: a list of ranges for the option `range` of {@link records},
   * {@link batches} and {@link queries} with the same query and key.
   *
   * The parts cover each row exactly once, also rows that are inserted or deleted later: the first part has no start, and the
   * last one no end. There is no empty part, but of an empty table there is one.
   *
   * On PostgreSQL a table of 16 MB or more is cut at a sample of its keys, which reads a few thousand of its pages, so parts
   * have about the same number of rows. Smaller tables, views, other databases, and queries that match few rows of a large
   * table are counted and cut exactly. That reads each key once, in the database, without loading rows.
   *
   * It works where {@link queries} works. It rejects with the errors of {@link records}.
   */
  async partitions(
    query: TypeOrmRepository<unknown> | TypeOrmSelect<unknown>,
    options: PartitionOptions & Pick<KeysetOptions, 'key'>,
  ): Promise<Json[]> {
    const source = 'typeorm.partitions';
    const key = resolvePartitionOptions(options, source);
    const select = closed(queryOf<unknown>(query, source));
    return partitionsOf(select, {
      key: keyParts(copyOf(select).select('1'), key, source),
      count: options.count,
      source,
    });
  }
}

function recordsOf<Entity>(
  given: TypeOrmRepository<Entity> | TypeOrmSelect<Entity>,
  { key, pageSize, source }: { key: readonly KeyColumn[]; pageSize: number; source: string },
): TypeOrmRecords<Entity> {
  const query = queryOf<Entity>(withEagerRelations(given), source);
  return new TypeOrmRecords(query, { key: keyParts(query, key, source), pageSize, source });
}

/** The cursors of a source. */
function readsOf(source: { readonly name: string; check(cursor: Cursor): void }) {
  const cursor = (value: Cursor): Cursor => {
    source.check(value);
    return value;
  };
  return { name: source.name, cursor };
}
