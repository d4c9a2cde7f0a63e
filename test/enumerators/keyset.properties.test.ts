import { afterAll, beforeAll, describe } from 'vitest';
import type { Json } from '../../lib/cursor.js';
import type { KeyColumn } from '../../lib/enumerators/contract/index.js';
import { EnumeratorBuilder } from '../../lib/enumerators/enumerator.builder.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { itFollowsAnyKey, type KeyRow } from '../support/keyset-properties.js';

const build = new EnumeratorBuilder();

interface Row {
  readonly id: number;
  readonly key: readonly Json[];
}

describe('keyset over pg', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createDatabase();
    await database.query(`CREATE TABLE things (id int PRIMARY KEY, rank int NOT NULL, name text COLLATE "C" NOT NULL,
      at timestamp NOT NULL, big bigint NOT NULL, price numeric NOT NULL)`);
  });
  afterAll(() => database.drop());

  const insert = (rows: readonly KeyRow[]) =>
    database.query(
      `INSERT INTO things SELECT id, rank, name, at, big, price FROM jsonb_to_recordset($1)
        AS r(id int, rank int, name text, at timestamp, big bigint, price numeric)`,
      [JSON.stringify(rows)],
    );

  itFollowsAnyKey<Row>({
    source: 'keyset',
    database: 'postgresql',
    columns: ['id', 'rank', 'name', 'at', 'big', 'price'],
    async reset(rows) {
      await database.query('DELETE FROM things');
      await insert(rows);
    },
    insert: async (rows) => void (await insert(rows)),
    remove: async (ids) => void (await database.query('DELETE FROM things WHERE id = ANY($1)', [ids])),
    build({ cursor }, { key, rows }) {
      const parts = unique(key ?? []);
      return build.keyset({
        cursor,
        pageSize: rows,
        key: (row: Row) => row.key,
        fetch: async (after, limit) => {
          const where = after === null ? '' : `WHERE ${rowsAfter(parts)}`;
          const order = parts.map(({ column, order }) => `${column} ${order}`).join(', ');
          const values = parts.map(({ column }) => `to_json(${column}) #>> '{}'`).join(', ');
          return database.query<Row & Record<string, unknown>>(
            `SELECT id, json_build_array(${values}) AS key FROM things ${where} ORDER BY ${order} LIMIT ${limit}`,
            after === null ? [] : [...after],
          );
        },
      });
    },
    records: ({ id }) => [id],
  });
});

/** The key, with the primary key added in the last column's direction. */
function unique(key: readonly KeyColumn[]): readonly KeyColumn[] {
  if (key.some(({ column }) => column === 'id')) return key;
  return [...key, { column: 'id', order: key.at(-1)?.order ?? 'asc' }];
}

/** SQL for the rows after the parameters: `a > $1 OR (a = $1 AND (b < $2 OR …))`. */
function rowsAfter(parts: readonly KeyColumn[]): string {
  return parts.reduceRight((rest, { column, order }, index) => {
    const beyond = `${column} ${order === 'asc' ? '>' : '<'} $${index + 1}`;
    return rest === '' ? beyond : `(${beyond} OR (${column} = $${index + 1} AND ${rest}))`;
  }, '');
}
