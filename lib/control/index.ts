export type { ControlEvent, IterationRun, TunedSettings } from '../checkpoint/index.js';
export type { BulkResult } from './bulk.js';
export type { AskedOptions } from './checks.js';
export type { JobRef } from './controlled.queue.js';
export type { EnqueueOptions } from './enqueue.js';
export { IterationService } from './iteration.service.js';
export type { JobFilter } from './job.list.js';
export { ITERATION_STATES, type IterationState, type IterationStatus } from './status.js';
