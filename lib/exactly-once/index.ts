export { TransactionalExecutor } from './transactional.executor.js';
