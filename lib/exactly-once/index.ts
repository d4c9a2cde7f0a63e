export { claimRow } from './acquire.row.js';
export { CommittedProgress } from './transactional.checkpoint.js';
export { TransactionalWork } from './transactional.executor.js';
