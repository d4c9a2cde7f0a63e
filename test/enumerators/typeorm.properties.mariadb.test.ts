import { afterAll, describe } from 'vitest';
import { createMariaDatabase, type TestMariaDatabase } from '../support/database.js';
import { itFollowsAnyTypeOrmKey } from '../support/typeorm-properties.js';
import { MARIADB } from '../support/typeorm-worlds.js';

describe.skipIf(!process.env.MARIADB_URL)('typeorm, by any key on MariaDB', () => {
  let database: TestMariaDatabase | undefined;
  afterAll(() => database?.drop());

  itFollowsAnyTypeOrmKey('mariadb', {
    dialect: MARIADB,
    async open() {
      database = await createMariaDatabase();
      return { type: 'mariadb', url: database.url, poolSize: 1 };
    },
  });
});
