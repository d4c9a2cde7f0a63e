export { TypeOrmTransactionHost, type TypeOrmTransactionOptions } from './typeorm.host.js';
export { CreateIterationCheckpoint1795305600000, type MigrationRunner } from './typeorm.migration.js';
