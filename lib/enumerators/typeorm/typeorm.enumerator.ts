import { Injectable } from '@nestjs/common';
import {
  type At,
  type BatchOptions,
  batchesOf,
  type Enumerator,
  type KeyColumn,
  type KeysetOptions,
  resolveBatchOptions,
  resolveKeysetOptions,
  type Source,
  SourceEnumerator,
} from '../contract/index.js';
import { keyParts } from './key.js';
import { closed } from './queries.batch.js';
import { TypeOrmQueries } from './queries.js';
import { queryOf, withEagerRelations } from './query.js';
import { TypeOrmRecords } from './records.js';
import { copyOf } from './typeorm.workarounds.js';

/** A SelectQueryBuilder of TypeORM. */
export interface TypeOrmSelect<Entity> {
  getMany(): Promise<Entity[]>;
  getRawAndEntities(): Promise<{ entities: Entity[]; raw: unknown[] }>;
}

/** A Repository of TypeORM. */
export interface TypeOrmRepository<Entity> {
  find(): Promise<Entity[]>;
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
   * The entities of a query, one page a query, in the order of a key; the cursor is the key's value, or the array of its
   * values when it has several columns, `null` for NULL.
   *
   * Exact at the database's full precision: the cursor is the database's value, not the entity's. The query is copied,
   * not changed; its where, selects, joins, soft-deletion and parameters are kept. Of a Repository come the eager relations
   * that `find()` loads. Rows that are inserted or deleted meanwhile change nothing for the others. A column that may be
   * NULL is followed with `nulls: 'first' | 'last'`.
   *
   * A key is what its columns are in the table, whatever the entity says: before the first page one or two statements ask
   * the catalogue for their types, collations and NULLs. On PostgreSQL a key may be of any type whose order is the same in
   * every session, by any collation. On MariaDB and MySQL (types `mariadb` and `mysql`, by `mysql2` or `mysql`): numbers,
   * texts and bytes of at most 160 characters or 1,000 bytes, uuid, date, time, datetime, enum by the order of its values
   * (no index serves that); not timestamp, whose text repeats an hour when the clocks go back. On SQLite (`sqljs`,
   * `better-sqlite3`): any type, as its values are stored. On other databases, and of a table that the catalogue does not
   * show, such as a temporary one of MariaDB: integers, never NULL, no joins.
   *
   * Where nothing in the database keeps the primary key unique, rows are compared with one row more a page, by the text of
   * their keys: two that differ only by what a collation ignores are not found out.
   *
   * The size is counted for at most two seconds on PostgreSQL, MariaDB and MySQL from 5.7, and then it is the planner's
   * estimate; so it is at once on an older MySQL, and on PostgreSQL for a query that runs on a QueryRunner of the user, whose transaction nothing must disturb. An estimate
   * may be far off. SQLite counts, whatever it takes.
   *
   * @throws InvalidEnumeratorError for a query that a key cannot follow: with an order, a limit or a grouping of its own, or
   * two columns of one name; at the first page for two rows with one primary key, a key column that is not in the table,
   * one that is NOT NULL in the entity but not in the table, and a connection whose character set changes texts.
   * @throws InvalidOptionsError for an unknown option, and a key column that is unknown or nullable without `nulls`; at the
   * first page for one whose type in the table cannot be followed exactly.
   * @throws InvalidCursorError for a cursor of another key; at the first page for a value that its column cannot have.
   */
  records<Entity>(
    query: TypeOrmRepository<Entity> | TypeOrmSelect<Entity>,
    options: KeysetOptions,
  ): Enumerator<Entity> {
    const source = 'typeorm.records';
    return new SourceEnumerator(
      recordsOf(query, { ...resolveKeysetOptions(options, source), options, source }),
      options.cursor,
    );
  }

  /**
   * The entities of a query in arrays of `batchSize`, the last one shorter; a batch's cursor is its last entity's. A batch
   * knows its halves. Everything else is as for {@link records}.
   */
  batches<Entity>(
    query: TypeOrmRepository<Entity> | TypeOrmSelect<Entity>,
    options: BatchOptions,
  ): Enumerator<Entity[]> {
    const source = 'typeorm.batches';
    const { batchSize, ...keyset } = resolveBatchOptions(options, source);
    return new SourceEnumerator(batchesOf(recordsOf(query, { ...keyset, options, source }), batchSize), options.cursor);
  }

  /**
   * One query a batch of `batchSize` rows, for a bulk update or delete: `query.update().set({ … }).execute()`,
   * `query.delete().execute()`, `query.softDelete().execute()`, or a select. No row is loaded: of each batch only its last
   * key is, which is its cursor, of the same shape as that of {@link records}.
   *
   * A batch is a range of the key, and of the rows in it those that the where selects when the query is executed; a
   * soft-deleted row, or one of another class of the table, is not among them unless the query had it. So one that is
   * executed again, after a kill or by two workers at once, writes only to rows that still match: let the update take its
   * rows out of the where (`processed = false`), and each is written once. Rows that come into the range meanwhile belong
   * to the batch, which may have more than `batchSize` then, or none.
   *
   * In `update()`, `delete()`, `softDelete()` and `restore()` the where may name the alias, embedded columns and properties,
   * and the table has its alias there too. Each query is independent and unordered, can be executed any number of times,
   * and whatever is added to it only narrows it. A query with joins or common table expressions writes to its entity's rows
   * by their primary key, from a subquery; there two workers at once may both write to one row.
   *
   * An update that changes a column of the key, `@UpdateDateColumn()` included, moves its rows: those that it moves ahead
   * come again, if they still match, and none is lost. Follow the primary key, or a column that the update leaves alone.
   *
   * `size` is the number of batches, by that of {@link records}; it shrinks with the rows that match. Batches can be halved,
   * between the rows that match at that time. On PostgreSQL, MariaDB, MySQL from 8.0, and SQLite; MariaDB has no `delete().returning()` of
   * it. Errors are those of {@link records}.
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
    queries.check(options.cursor);
    return new SourceEnumerator(queries as Source<unknown> as Source<SelectOf<Given>>, options.cursor);
  }
}

function recordsOf<Entity>(
  given: TypeOrmRepository<Entity> | TypeOrmSelect<Entity>,
  { key, pageSize, options, source }: { key: readonly KeyColumn[]; pageSize: number; options: At; source: string },
): TypeOrmRecords<Entity> {
  const query = queryOf<Entity>(withEagerRelations(given), source);
  const records = new TypeOrmRecords(query, { key: keyParts(query, key, source), pageSize, source });
  records.check(options.cursor);
  return records;
}
