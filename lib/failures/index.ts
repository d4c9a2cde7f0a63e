export { Failed, ItemFailure } from './item.failure.js';
export { Skips } from './item.skip.js';
