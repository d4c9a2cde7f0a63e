export { IterationHealthIndicator, type IterationHealthOptions } from './iteration.health.js';
