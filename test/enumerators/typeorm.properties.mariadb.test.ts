import { describe } from 'vitest';
import { DRIVERS, type DriverName } from '../support/typeorm-drivers.js';
import { itFollowsAnyTypeOrmKey } from '../support/typeorm-properties.js';

const NAMES: readonly DriverName[] = ['mariadb'];

for (const name of NAMES) {
  const driver = DRIVERS[name];
  if (driver) describe(`typeorm, by any key, by the driver ${name}`, () => itFollowsAnyTypeOrmKey(name, driver));
}
