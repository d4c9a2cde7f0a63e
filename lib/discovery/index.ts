export { defineProcessor } from './define-processor.js';
export type { NestModule } from './nest.js';
export { definitionFor, ProcessorExplorer, type QueueProcessors } from './processor.explorer.js';
export { QueueFinder, type RegisteredQueue, sameQueue } from './queue.finder.js';
export type { WorkerListener } from './worker.listeners.js';
