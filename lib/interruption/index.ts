export { type Interruption, InterruptionRequest } from './interruption.js';
export { Lock, LockLostError } from './lock.js';
export { isOutage } from './outage.js';
export { retryWhileHeld } from './retry.while.held.js';
