export { type EnqueueOptions, IterationService, type JobRef } from './iteration.service.js';
export type { IterationState, IterationStatus } from './status.js';
