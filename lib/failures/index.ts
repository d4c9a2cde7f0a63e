export { Failed, ItemFailure } from './item.failure.js';
export { ItemSkips } from './item.skip.js';
