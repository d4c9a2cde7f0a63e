export type { QueueWorker } from './queue.worker.js';
export type { WorkerHealth } from './worker.health.js';
export { WorkerRegistrar } from './worker.registrar.js';
