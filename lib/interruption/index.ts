export { type Interruption, InterruptionRequest } from './interruption.js';
export { Lock } from './lock.js';
export { isOutage } from './outage.js';
