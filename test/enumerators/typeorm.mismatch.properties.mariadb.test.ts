import { describe } from 'vitest';
import { DRIVERS, type DriverName } from '../support/typeorm-drivers.js';
import { itFollowsAnyTable } from '../support/typeorm-mismatch-properties.js';

const NAMES: readonly DriverName[] = ['mariadb', 'mysql', 'mysql2'];

for (const name of NAMES) {
  const driver = DRIVERS[name];
  if (driver) describe(`typeorm over any table, by the driver ${name}`, () => itFollowsAnyTable(name, driver));
}
