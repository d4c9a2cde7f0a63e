import { type ColumnType, DataSource, type DataSourceOptions, EntitySchema, type Repository } from 'typeorm';
import type { KeyName, KeyRow, KeysetWorld } from './keyset-properties.js';
import type { Driver } from './typeorm-drivers.js';

/** The column types of a database. */
export interface Dialect {
  /** A text type that is ordered by its bytes. */
  readonly text: { readonly type: ColumnType; readonly length?: number; readonly collation: string };
  readonly time: ColumnType;
  readonly price: ColumnType;
}

/** By the family of a driver, with the columns that a key may have; all by default. */
export const DIALECTS: Readonly<
  Record<Driver['family'], { readonly dialect: Dialect; readonly columns?: readonly KeyName[] }>
> = {
  postgresql: { dialect: { text: { type: 'text', collation: 'C' }, time: 'timestamp', price: 'numeric' } },
  mariadb: {
    dialect: {
      text: { type: 'varchar', length: 40, collation: 'utf8mb4_nopad_bin' },
      time: 'datetime',
      price: 'decimal',
    },
  },
  sqlite: {
    dialect: { text: { type: 'text', collation: 'BINARY' }, time: 'datetime', price: 'decimal' },
    // SQLite keeps a decimal as a rounded double.
    columns: ['id', 'rank', 'maybe', 'name', 'note', 'at', 'seen', 'big'],
  },
};

/** A table of {@link KeyRow} in a database, and the changes that a property makes to it. */
export interface KeyTable extends Pick<KeysetWorld<unknown>, 'reset' | 'insert' | 'remove'> {
  readonly dataSource: DataSource;
  readonly rows: Repository<KeyRow>;
  close(): Promise<void>;
}

/** Creates the table, on one connection. */
export async function openKeyTable(options: DataSourceOptions, dialect: Dialect): Promise<KeyTable> {
  const { text, time, price } = dialect;
  const entity = new EntitySchema<KeyRow>({
    name: 'KeyRow',
    tableName: 'key_row',
    columns: {
      id: { type: 'int', primary: true },
      rank: { type: 'int' },
      maybe: { type: 'int', nullable: true },
      name: { ...text },
      note: { ...text, nullable: true },
      at: { type: time, precision: 6 },
      seen: { type: time, precision: 6, nullable: true },
      big: { type: 'bigint' },
      price: { type: price, precision: 30, scale: 20 },
    },
  });
  const dataSource = new DataSource({ ...options, entities: [entity], synchronize: true });
  await dataSource.initialize();
  const { driver } = dataSource;
  const names: readonly KeyName[] = ['id', 'rank', 'maybe', 'name', 'note', 'at', 'seen', 'big', 'price'];
  const columns = names.map((name) => driver.escape(name)).join(', ');

  const insert = async (rows: readonly KeyRow[]) => {
    if (rows.length === 0) return;
    const values = rows.flatMap((row) => names.map((name) => row[name]));
    const parameter = (index: number) => driver.createParameter('value', index);
    const tuples = rows.map(
      (_, row) => `(${names.map((_, index) => parameter(row * names.length + index)).join(', ')})`,
    );
    await dataSource.query(`INSERT INTO key_row (${columns}) VALUES ${tuples.join(', ')}`, values);
  };

  return {
    dataSource,
    rows: dataSource.getRepository(entity),
    insert,
    async reset(rows) {
      await dataSource.query('DELETE FROM key_row');
      await insert(rows);
    },
    async remove(ids) {
      await dataSource.query(`DELETE FROM key_row WHERE id IN (${ids.join(', ')})`);
    },
    close: () => dataSource.destroy(),
  };
}
