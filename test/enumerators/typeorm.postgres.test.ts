import {
  Column,
  DataSource,
  DefaultNamingStrategy,
  Entity,
  Index,
  PrimaryColumn,
  PrimaryGeneratedColumn,
} from 'typeorm';
import { afterAll, beforeAll, describe } from 'vitest';
import type { At, KeysetOptions } from '../../lib/enumerators/contract/index.js';
import { TypeOrmEnumeratorBuilder } from '../../lib/enumerators/typeorm/typeorm.enumerator.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { itKeepsTheEnumeratorContract } from '../support/enumerator-contract.js';

/** `fullName` is stored as `c_full_name`, in a table with a prefix of its own. */
class Prefixed extends DefaultNamingStrategy {
  override tableName(targetName: string, userSpecifiedName: string | undefined): string {
    return `t_${userSpecifiedName ?? targetName.toLowerCase()}`;
  }
  override columnName(property: string, customName: string | undefined, prefixes: string[]): string {
    const name = [...prefixes, customName ?? property].join('_');
    return `c_${name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`;
  }
}

class Address {
  @Column()
  streetName!: string;
}

/** A row whose texts are ordered by collations of all kinds. */
@Entity({ schema: 'labels' })
class Label {
  @PrimaryGeneratedColumn('uuid')
  labelId!: string;

  @Column({ type: 'text', collation: 'C' })
  byBytes!: string;

  @Column({ type: 'varchar', collation: 'de-x-icu' })
  german!: string;

  @Column({ type: 'text', collation: 'folded' })
  folded!: string;

  @Column({ type: 'text', collation: 'numeric_icu', nullable: true })
  byNumber!: string | null;

  @Column(() => Address)
  homeAddress!: Address;
}

/** Its primary key is a text, unique under a collation that treats `a` and `A` as equal. */
@Entity()
class Folded {
  @PrimaryColumn({ type: 'text', collation: 'folded' })
  name!: string;

  @Index()
  @Column({ type: 'enum', enum: ['zero', 'alpha', 'middle'], enumName: 'level' })
  level!: string;
}

const TEXTS = [
  '',
  ' ',
  'a',
  'A',
  'á',
  'Á',
  'ae',
  'ä',
  'Ä',
  'af',
  'z',
  'Z',
  'ss',
  'ß',
  'SS',
  'a-b',
  'ab',
  'A9',
  'a10',
  'a010',
];

describe('typeorm on PostgreSQL', () => {
  const typeorm = new TypeOrmEnumeratorBuilder();
  let database: TestDatabase;
  let dataSource: DataSource;

  beforeAll(async () => {
    database = await createDatabase();
    await database.query('CREATE SCHEMA labels');
    await database.query("CREATE COLLATION folded (provider = icu, locale = 'und-u-ks-level1', deterministic = false)");
    await database.query("CREATE COLLATION numeric_icu (provider = icu, locale = 'und-u-kn')");
    dataSource = await new DataSource({
      type: 'postgres',
      url: database.url,
      entities: [Label, Folded],
      namingStrategy: new Prefixed(),
      synchronize: true,
    }).initialize();
    const labels = TEXTS.flatMap((text, n) => [text, TEXTS[(n * 7) % TEXTS.length] as string]).map((text, n) => ({
      ...{ byBytes: text, german: text, folded: text, byNumber: n % 5 ? text : null },
      homeAddress: { streetName: text },
    }));
    await dataSource.getRepository(Label).insert(labels);
    const levels = ['zero', 'alpha', 'middle'];
    const names = ['', 'a', 'ae', 'af', 'z', 'ss', 'a9', 'a10', 'a010', '日'];
    await dataSource.getRepository(Folded).insert(names.map((name, n) => ({ name, level: levels[n % 3] })));
  });

  afterAll(async () => {
    await dataSource?.destroy();
    await database?.drop();
  });

  const column = async (sql: string) => (await database.query(sql)).map((row) => Object.values(row)[0]);
  const table = 'labels.t_label';
  const labels = (key: KeysetOptions['key']) => ({
    build: (at: At) => typeorm.records(dataSource.getRepository(Label), { ...at, key, pageSize: 7 }),
    identify: ({ labelId }: Label) => labelId,
    stretches: 4,
  });
  const ordered = (columns: string) => () => column(`SELECT c_label_id FROM ${table} ORDER BY ${columns}`);

  itKeepsTheEnumeratorContract('a text by its bytes', {
    size: 'exact',
    ...labels('byBytes'),
    expected: ordered('c_by_bytes, c_label_id'),
  });
  itKeepsTheEnumeratorContract('a text by the rules of a language', {
    size: 'exact',
    ...labels([{ column: 'german', order: 'desc' }]),
    expected: ordered('c_german DESC, c_label_id DESC'),
  });
  itKeepsTheEnumeratorContract('a text by a collation where a = A = á', {
    size: 'exact',
    ...labels('folded'),
    expected: ordered('c_folded, c_label_id'),
  });
  itKeepsTheEnumeratorContract('two collations, mixed directions, NULLs', {
    size: 'exact',
    ...labels([
      { column: 'folded', order: 'desc' },
      { column: 'byNumber', order: 'asc', nulls: 'first' },
    ]),
    expected: ordered('c_folded DESC, c_by_number NULLS FIRST, c_label_id'),
  });
  itKeepsTheEnumeratorContract('a numeric collation, NULLs first', {
    size: 'exact',
    ...labels([{ column: 'byNumber', order: 'desc', nulls: 'first' }]),
    expected: ordered('c_by_number DESC NULLS FIRST, c_label_id DESC'),
  });
  itKeepsTheEnumeratorContract('an embedded column, a naming strategy', {
    size: 'exact',
    ...labels('homeAddress.streetName'),
    expected: ordered('c_home_address_street_name, c_label_id'),
  });
  itKeepsTheEnumeratorContract('a named enum, a folded primary key', {
    size: 'exact',
    build: (at: At) =>
      typeorm.batches(dataSource.getRepository(Folded), {
        ...at,
        key: [{ column: 'level', order: 'desc' }],
        batchSize: 3,
      }),
    identify: (batch: Folded[]) => batch.map(({ name }) => name),
    records: (batch) => batch.map(({ name }) => name),
    expected: async () => {
      const names = await column('SELECT c_name FROM t_folded ORDER BY c_level DESC, c_name DESC');
      return [0, 3, 6, 9].map((start) => names.slice(start, start + 3));
    },
  });
  itKeepsTheEnumeratorContract('a join on a folded primary key', {
    size: 'exact',
    build: (at: At) =>
      typeorm.records(
        dataSource.getRepository(Folded).createQueryBuilder('f').leftJoin(Label, 'l', 'l.folded = f.name'),
        { ...at, pageSize: 2 },
      ),
    identify: ({ name }: Folded) => name,
    expected: () => column('SELECT c_name FROM t_folded ORDER BY c_name'),
  });
});
