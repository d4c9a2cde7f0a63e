/** @module nestjs-iteration/terminus */
export { IterationHealthIndicator, type IterationHealthOptions } from './iteration.health.js';
