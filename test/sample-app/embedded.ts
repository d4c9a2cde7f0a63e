import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import pg from 'pg';

export type Query = <Row extends pg.QueryResultRow>(sql: string) => Promise<Row[]>;

/** The sample's embedded server in a temporary folder. Tests query it while the sample does not run. */
export class EmbeddedDatabase {
  readonly #folder = mkdtempSync(join(tmpdir(), 'iteration-test-embedded-'));

  constructor(private readonly serverScript: string) {
    chmodSync(this.#folder, 0o755); // PostgreSQL's user needs access
  }

  /** The environment of the processes that use the server. */
  get env(): { TMPDIR: string } {
    return { TMPDIR: this.#folder };
  }

  async use<T>(work: (query: Query) => Promise<T>): Promise<T> {
    const server = spawn(process.execPath, [this.serverScript], {
      env: { ...process.env, ...this.env },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const exited = once(server, 'exit');
    try {
      const [line] = (await once(createInterface({ input: server.stdout }), 'line')) as [string];
      const client = new pg.Client({ connectionString: (JSON.parse(line) as { url: string }).url });
      await client.connect();
      try {
        return await work(async (sql) => (await client.query(sql)).rows);
      } finally {
        await client.end();
      }
    } finally {
      server.stdin.end();
      await exited;
    }
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
