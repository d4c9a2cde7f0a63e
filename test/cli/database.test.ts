import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prismaMigration } from '../../lib/index.js';
import { createDatabase, createMariaDatabase, type TestDatabase, type TestMariaDatabase } from '../support/database.js';
import { command } from './command.js';

const COLUMNS =
  "SELECT column_name FROM information_schema.columns WHERE table_name = 'iteration_checkpoint' AND table_schema = ";

describe('sql', () => {
  it('sql prints the statement that creates the table, for each database', async () => {
    const [postgresql, mysql, sqlite, inSchema] = await Promise.all([
      command(['sql']),
      command(['sql', '--dialect', 'mysql']),
      command(['sql', '--dialect', 'sqlite', '--json']),
      command(['sql', '--schema', 'jobs']),
    ]);
    expect(postgresql).toEqual({ code: 0, out: prismaMigration('postgresql'), err: '' });
    expect(mysql.out).toBe(prismaMigration('mysql'));
    expect(JSON.parse(sqlite.out).sql).toMatch(/^CREATE TABLE iteration_checkpoint \(/);
    expect(inSchema.out).toMatch(/^CREATE TABLE "jobs"\.iteration_checkpoint \(/);
  });
});

describe('migrate on PostgreSQL', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createDatabase();
  });
  afterAll(() => database.drop());

  it('migrate creates the table once, and says when it is there already', async () => {
    const env = { DATABASE_URL: database.url };
    expect(await command(['migrate'], env)).toEqual({
      code: 0,
      out: 'The table iteration_checkpoint was created.\n',
      err: '',
    });
    const again = await command(['migrate', '--json'], env);
    expect(JSON.parse(again.out)).toEqual({ table: 'iteration_checkpoint', created: false });
    expect(await database.query(`${COLUMNS}'public'`)).toHaveLength(8);
  });

  it('migrate --schema creates the table there; a schema that is missing gives exit code 1', async () => {
    await database.query('CREATE SCHEMA jobs');
    const args = ['migrate', '--url', database.url, '--schema'];
    expect((await command([...args, 'jobs'])).code).toBe(0);
    expect(await database.query(`${COLUMNS}'jobs'`)).toHaveLength(8);
    const missing = await command([...args, 'nowhere']);
    expect([missing.code, missing.out]).toEqual([1, '']);
    expect(missing.err).toContain('schema "nowhere" does not exist');
  });
});

describe.skipIf(!process.env.MARIADB_URL)('migrate on MariaDB', () => {
  let database: TestMariaDatabase;
  beforeAll(async () => {
    database = await createMariaDatabase();
  });
  afterAll(() => database.drop());

  it('migrate creates the table once, and says when it is there already', async () => {
    const url = database.url.replace(/^mysql:/, 'mariadb:');
    expect((await command(['migrate', '--url', url])).out).toBe('The table iteration_checkpoint was created.\n');
    expect((await command(['migrate', '--url', url])).out).toBe('The table iteration_checkpoint is there already.\n');
    expect(await database.query(`${COLUMNS}'${database.name}'`)).toHaveLength(8);
  });
});
