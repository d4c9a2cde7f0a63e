export { CheckpointTable, type Executor } from './checkpoint.table.js';
export { isTransient, isUnknownVariable } from './database.errors.js';
export { OneAtATime } from './one.at.a.time.js';
export { createTable, dropTable, modelOf } from './table.js';
