import { readFileSync } from 'node:fs';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest';
import { createDatabase } from '../support/database.js';
import { Lateness } from '../support/lateness.js';
import { EmbeddedDatabase, type Query } from './embedded.js';
import { type BuiltSample, buildSample, SampleRun } from './sample.js';
import { actualTables, expectedTables } from './tables.js';

const ROWS = 1_500;

describe.concurrent('the sample app', () => {
  let sample: BuiltSample;
  beforeAll(() => {
    sample = buildSample();
  });
  afterAll(() => sample.remove());

  it('the sample reports success when the tables match the files', async ({ onTestFinished }) => {
    const database = await createDatabase();
    onTestFinished(() => database.drop());
    const run = start(200, { DATABASE_URL: database.url, REDIS_URL: redisUrl() }, ['--fresh']);
    expect(await run.exit(), run.lines.join('\n')).toBe(0);
    expect(lastLineOf(run)).toMatch(/^Done, and right\./);
    expect(await actualTables(database.query)).toEqual(expectedTables(200));
  });

  it('the sample serves its board while it runs, and --no-board leaves it out', async ({ onTestFinished }) => {
    const database = await createDatabase();
    onTestFinished(() => database.drop());
    await createTables(database.query);
    await database.query(`
      CREATE FUNCTION wait_for_test() RETURNS trigger AS 'BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN NEW; END' LANGUAGE plpgsql;
      CREATE TRIGGER wait_for_test BEFORE INSERT ON iteration_sample.zip_codes FOR EACH ROW EXECUTE FUNCTION wait_for_test()`);
    const lock = new pg.Client({ connectionString: database.url });
    await lock.connect();
    await lock.query('SELECT pg_advisory_lock(1)');
    const run = start(200, { DATABASE_URL: database.url });
    const board = await run.board();
    expect(board).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/iterations$/);
    expect(await (await fetch(board)).text()).toContain('<title>Iterations</title>');
    expect(await (await fetch(`${board}/board.js`)).text()).toContain('textContent');
    expect(await (await fetch(`${board}/api/queues`)).json()).toMatchObject({
      queues: [{ name: 'sample', processors: expect.arrayContaining(['import-zip-codes']) }],
    });
    await lock.end();
    expect(await run.exit(), run.lines.join('\n')).toBe(0);
    const without = start(200, { DATABASE_URL: database.url }, ['--no-board']);
    expect(await without.exit(), without.lines.join('\n')).toBe(0);
    expect(without.lines.filter((line) => line.startsWith('Board'))).toEqual([]);
  });

  it('the sample reports the difference when a table does not match the files', async ({ onTestFinished }) => {
    const database = await createDatabase();
    onTestFinished(() => database.drop());
    await createTables(database.query);
    await database.query(`
      CREATE FUNCTION spoil() RETURNS trigger AS 'BEGIN NEW.payout_usd := NEW.payout_usd + 1; RETURN NEW; END' LANGUAGE plpgsql;
      CREATE TRIGGER spoil BEFORE INSERT ON iteration_sample.claims FOR EACH ROW WHEN (NEW.strike = 7) EXECUTE FUNCTION spoil()`);
    const run = start(200, { DATABASE_URL: database.url });
    expect(await run.exit(), run.lines.join('\n')).toBe(1);
    expect(lastLineOf(run)).toBe('NOT RIGHT');
    expect(run.lines.filter((line) => line.startsWith('✗'))).toEqual([
      expect.stringMatching(/claims: USD paid .*, but the CSV says/),
    ]);
  });

  it('R1, R14: the sample resumes after Ctrl-C, three times, and handles each row once', async (test) => {
    const database = await slowDatabase(test);
    await endThreeTimes(database, (run) => run.pressCtrlC());
    await database.use(async (query) => {
      expect(await query('SELECT * FROM handled_again')).toEqual([]);
      expect(await actualTables(query)).toEqual(expectedTables(ROWS));
    });
  });

  it('R18: the sample resumes within 10 s after kill -9, three times', async (test) => {
    const database = await slowDatabase(test);
    await endThreeTimes(database, (run) => run.kill());
    await database.use(async (query) => {
      expect(await actualTables(query)).toEqual(expectedTables(ROWS));
    });
  });

  function start(rows: number, env: Record<string, string | undefined>, args: readonly string[] = []): SampleRun {
    return new SampleRun(sample.main, { args: ['--rows', `${rows}`, ...args], env });
  }

  async function slowDatabase({ onTestFinished }: TestContext): Promise<EmbeddedDatabase> {
    const database = new EmbeddedDatabase(sample.server);
    onTestFinished(() => database.remove());
    await database.use(slowDown);
    return database;
  }

  /** Ends the sample three times. It must resume within 10 s after the application is up. */
  async function endThreeTimes({ env }: EmbeddedDatabase, end: (run: SampleRun) => Promise<void>): Promise<void> {
    let run = start(ROWS, env);
    for (let time = 1; time <= 3; time++) {
      const { job, done } = await run.advance();
      await end(run);
      run = start(ROWS, env);
      await run.up();
      const lateness = new Lateness();
      const { after, items } = await run.resumed(job);
      lateness.expectWithin(10_000, 'R18');
      expect(items).toBeGreaterThanOrEqual(done);
      if (job.startsWith('import')) expect(after).toBe(`row ${items}`);
    }
    expect(await run.exit(), run.lines.join('\n')).toBe(0);
  }
});

/** The URL of a database that is probably unused on the server: the sample always uses the same prefix. */
function redisUrl(): string | undefined {
  const { REDIS_URL } = process.env;
  return REDIS_URL && new URL(`/${1 + (process.pid % 15)}`, REDIS_URL).href;
}

async function createTables(query: Query): Promise<void> {
  const tables = readFileSync(new URL('../../sample-app/schema.sql', import.meta.url), 'utf8');
  await query(`CREATE SCHEMA iteration_sample; SET search_path TO iteration_sample; ${tables}; RESET search_path`);
}

/** Slows the tables down, so that no job ends between two lines of the terminal, and records rows handled again. */
async function slowDown(query: Query): Promise<void> {
  await createTables(query);
  await query(`
    CREATE TABLE handled (what text, key text);
    CREATE VIEW handled_again AS SELECT what, key FROM handled GROUP BY 1, 2 HAVING count(*) > 1;
    CREATE FUNCTION slow_down() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      PERFORM pg_sleep(0.003);
      INSERT INTO public.handled VALUES (TG_TABLE_NAME, to_jsonb(NEW) ->> TG_ARGV[0]);
      RETURN NEW;
    END $$`);
  const keys = { zip_codes: 'code', shipping_zones: 'code', bird_strikes: 'row', claims: 'strike' };
  for (const [table, key] of Object.entries(keys)) {
    await query(`CREATE TRIGGER slow_down BEFORE INSERT OR UPDATE ON iteration_sample.${table}
      FOR EACH ROW EXECUTE FUNCTION slow_down(${key})`);
  }
}

/** Without logs: closing may warn after it. */
function lastLineOf({ lines }: { readonly lines: readonly string[] }): string | undefined {
  return lines.findLast((line) => !/^(WARN|ERROR) /.test(line));
}
