import { type Dialect, quoted } from '../../sql.dialect.js';

export const TABLE = 'iteration_checkpoint';

/** The most bytes of a text of the key. Together they fit into an index entry of each database. */
export const KEY_BYTES = { prefix: 255, queue: 255, jobId: 1024 } as const;

interface Column {
  readonly name: string;
  readonly type: Readonly<Record<Dialect, string>>;
  readonly nullable?: true;
  /** Its line in a Prisma model, for the dialects that work with Prisma. */
  readonly field: { readonly name: string; readonly postgresql: string; readonly mysql: string };
}

/** Compared byte by byte, whatever the database's collation: 'a', 'A' and 'a ' are different queues. */
function keyText(name: string, field: string, bytes: number): Column {
  return {
    name,
    type: { postgresql: 'text COLLATE "C"', mysql: `varbinary(${bytes})`, sqlite: 'text' },
    field: { name: field, postgresql: 'String', mysql: `Bytes @db.VarBinary(${bytes})` },
  };
}

function number(name: string, type: 'int' | 'bigint', field = name): Column {
  const prisma = type === 'int' ? 'Int' : 'BigInt';
  const sqlite = 'integer';
  return {
    name,
    type: { postgresql: type, mysql: type, sqlite },
    field: { name: field, postgresql: prisma, mysql: prisma },
  };
}

const KEY: readonly Column[] = [
  keyText('prefix', 'prefix', KEY_BYTES.prefix),
  keyText('queue', 'queue', KEY_BYTES.queue),
  keyText('job_id', 'jobId', KEY_BYTES.jobId),
  number('job_timestamp', 'bigint', 'jobTimestamp'),
];

const COLUMNS: readonly Column[] = [
  ...KEY,
  number('life', 'int'),
  number('run', 'int'),
  {
    name: 'document',
    type: { postgresql: 'text', mysql: 'mediumtext', sqlite: 'text' },
    nullable: true,
    field: { name: 'document', postgresql: 'String?', mysql: 'String? @db.MediumText' },
  },
  {
    name: 'updated_at',
    type: { postgresql: 'timestamptz(3)', mysql: 'datetime(6)', sqlite: 'text' },
    field: { name: 'updatedAt', postgresql: 'DateTime @db.Timestamptz(3)', mysql: 'DateTime @db.DateTime(6)' },
  },
];

/** A row is written often. Free space keeps its next versions on the same page, without new index entries. */
const TABLE_OPTIONS: Readonly<Record<Dialect, string>> = {
  postgresql: ' WITH (fillfactor = 30)',
  mysql: ' ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4',
  sqlite: '',
};

/** The table's name in SQL, in the schema of the user's client. */
export function tableName(schema?: string): string {
  return schema === undefined ? TABLE : `${quoted('postgresql', schema)}.${TABLE}`;
}

export function createTable(dialect: Dialect, schema?: string): string {
  const columns = COLUMNS.map(({ name, type, nullable }) => `  ${name} ${type[dialect]}${nullable ? '' : ' NOT NULL'}`);
  const key = `  PRIMARY KEY (${KEY.map(({ name }) => name).join(', ')})`;
  return `CREATE TABLE ${tableName(schema)} (\n${[...columns, key].join(',\n')}\n)${TABLE_OPTIONS[dialect]}`;
}

export function dropTable(schema?: string): string {
  return `DROP TABLE ${tableName(schema)}`;
}

/** The Prisma model of {@link createTable}'s table. */
export function modelOf(dialect: 'postgresql' | 'mysql'): string {
  const lines = COLUMNS.map(({ name, field }) => {
    const [type, ...attributes] = field[dialect].split(' ');
    const map = name === field.name ? [] : [`@map("${name}")`];
    return `  ${[field.name.padEnd(12), (type as string).padEnd(8), ...map, ...attributes].join(' ').trimEnd()}`;
  });
  const key = `  @@id([${KEY.map(({ field }) => field.name).join(', ')}])`;
  return ['model IterationCheckpoint {', ...lines, '', key, `  @@map("${TABLE}")`, '}', ''].join('\n');
}
