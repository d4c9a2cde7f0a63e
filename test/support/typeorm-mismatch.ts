import { type ColumnType, DataSource, type DataSourceOptions, EntitySchema, type Repository } from 'typeorm';
import type { Cursor, Json } from '../../lib/cursor.js';
import type { KeysetOptions } from '../../lib/enumerators/contract/index.js';
import { TypeOrmEnumeratorBuilder } from '../../lib/enumerators/typeorm/typeorm.enumerator.js';

/** What an entity declares for one column. */
export interface DeclaredColumn {
  readonly type: ColumnType;
  readonly nullable?: boolean;
  readonly precision?: number;
  readonly scale?: number;
}

export interface MismatchRow {
  id: number;
}

/** An entity over a table that was created by hand. */
export interface Mismatch {
  readonly rows: Repository<MismatchRow>;
  readonly dataSource: DataSource;
  close(): Promise<void>;
}

/** @param columns The columns of the entity besides `id`. */
export async function mismatched(
  options: DataSourceOptions,
  table: string,
  columns: Readonly<Record<string, DeclaredColumn>>,
): Promise<Mismatch> {
  const entity = new EntitySchema<MismatchRow>({
    name: 'Mismatched',
    tableName: table,
    columns: { id: { type: 'int', primary: true }, ...columns },
  });
  const dataSource = await new DataSource({ ...options, entities: [entity] } as DataSourceOptions).initialize();
  return { dataSource, rows: dataSource.getRepository(entity), close: () => dataSource.destroy() };
}

/** The result of reading a table. */
export interface Followed {
  readonly ids: readonly number[];
  /** The error that ended the reading early. */
  readonly error?: Error;
}

const typeorm = new TypeOrmEnumeratorBuilder();

/**
 * Reads a table by a key, interrupted after each of `stops` items and resumed after the cursor, as stored in JSON. More
 * than `limit` items count as an endless source.
 */
export async function follow(
  rows: Repository<MismatchRow>,
  {
    key,
    pageSize,
    stops = [],
    limit,
    cursor: start = null,
  }: Pick<KeysetOptions, 'key' | 'pageSize'> & { stops?: readonly number[]; limit: number; cursor?: Json },
): Promise<Followed> {
  const ids: number[] = [];
  let cursor: Cursor = start;
  try {
    for (const stop of [...stops, Number.POSITIVE_INFINITY]) {
      let items = 0;
      if (stop === 0) continue;
      // Only the id: a driver may not be able to make an entity of the table's row.
      const query = rows.createQueryBuilder('m').select('m.id');
      for await (const [{ id }, at] of typeorm.records(query, { cursor, key, pageSize })) {
        ids.push(Number(id));
        cursor = JSON.parse(JSON.stringify(at)) as Cursor;
        if (ids.length > limit) return { ids, error: new Error('endless') };
        if (++items >= stop) break;
      }
    }
    return { ids };
  } catch (error) {
    return { ids, error: error as Error };
  }
}
