import { afterAll, describe } from 'vitest';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { itFollowsAnyTypeOrmKey } from '../support/typeorm-properties.js';
import { POSTGRES, SQLITE } from '../support/typeorm-worlds.js';

describe('typeorm, by any key on PostgreSQL', () => {
  let database: TestDatabase | undefined;
  afterAll(() => database?.drop());

  itFollowsAnyTypeOrmKey('postgresql', {
    dialect: POSTGRES,
    async open() {
      database = await createDatabase();
      return { type: 'postgres', url: database.url, poolSize: 1 };
    },
  });
});

describe('typeorm, by any key on SQLite', () => {
  itFollowsAnyTypeOrmKey('sqlite', {
    dialect: SQLITE,
    // SQLite keeps a decimal as a rounded double.
    columns: ['id', 'rank', 'maybe', 'name', 'note', 'at', 'seen', 'big'],
    open: async () => ({ type: 'sqljs' }),
  });
});
