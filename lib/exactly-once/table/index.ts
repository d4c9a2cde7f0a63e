export { CheckpointTable, type Executor } from './checkpoint.table.js';
export { isTransient, isUnknownVariable } from './database.errors.js';
export { createTable, dropTable, modelOf } from './table.js';
export { Turns } from './turns.js';
