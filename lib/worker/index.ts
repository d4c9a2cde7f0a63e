export { WorkerRegistrar } from './worker.registrar.js';
