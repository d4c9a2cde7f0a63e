export { Failed } from './failed.js';
export { ItemFailure } from './item.failure.js';
export { ItemSkips } from './item.skip.js';
