export { EventPublisher, type IterationChannel, iterationChannel, type Publisher } from './event.publisher.js';
export type { IterationMessage, IterationMessages, JobFacts, RunFacts } from './messages.js';
export { RunEvents } from './run.events.js';
