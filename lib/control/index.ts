export type { ControlEvent, IterationRun } from '../checkpoint/index.js';
export { type AskedOptions, type EnqueueOptions, IterationService, type JobRef } from './iteration.service.js';
export type { IterationState, IterationStatus } from './status.js';
