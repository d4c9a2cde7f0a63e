import { type ColumnType, DataSource, type DataSourceOptions, EntitySchema, type Repository } from 'typeorm';
import type { Cursor, Json } from '../../lib/cursor.js';
import type { KeysetOptions } from '../../lib/enumerators/contract/index.js';
import { TypeOrmEnumeratorBuilder } from '../../lib/enumerators/typeorm/typeorm.enumerator.js';

/** What an entity says of one column. */
export interface DeclaredColumn {
  readonly type: ColumnType;
  readonly nullable?: boolean;
  readonly precision?: number;
  readonly scale?: number;
}

export interface MismatchRow {
  id: number;
}

/** An entity over a table that was made by hand. */
export interface Mismatch {
  readonly rows: Repository<MismatchRow>;
  readonly dataSource: DataSource;
  close(): Promise<void>;
}

/** @param columns What the entity says besides `id`. */
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

/** What came of following a table. */
export interface Followed {
  readonly ids: readonly number[];
  /** What ended it before the end. */
  readonly error?: Error;
}

const typeorm = new TypeOrmEnumeratorBuilder();

/**
 * Reads a table by a key, interrupted after each of `stops` items and resumed at the cursor as JSON holds it. More than
 * `limit` items are an endless source.
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
      // The id by itself: a driver may not be able to make an entity of what the table holds.
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
