import { readFileSync } from 'node:fs';
import { PrismaPg } from '@prisma/adapter-pg';
import { createDatabase, type TestDatabase } from '../database.js';
import { PrismaClient } from './generated/client.js';

/** A database with the tables of the schema, and clients of it. */
export class PrismaTables {
  /** The SQL of Prisma's calls, without a source's one query of the catalogue. */
  queries: string[] = [];
  readonly #clients: { $disconnect(): Promise<void> }[] = [];

  private constructor(readonly database: TestDatabase) {}

  static async make(): Promise<PrismaTables> {
    const database = await createDatabase();
    await database.query(readFileSync(new URL('schema.sql', import.meta.url), 'utf8'));
    return new PrismaTables(database);
  }

  adapter(options: { max?: number } = {}): PrismaPg {
    return new PrismaPg({ connectionString: this.database.url, ...options });
  }

  connect(options: { max?: number } = {}) {
    const client = new PrismaClient({
      adapter: this.adapter(options),
      log: [{ emit: 'event', level: 'query' }],
    });
    client.$on('query', ({ query }) => {
      if (!query.includes('pg_attribute')) this.queries.push(query);
    });
    this.#clients.push(client);
    return client;
  }

  async drop(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.$disconnect()));
    await this.database.drop();
  }
}
