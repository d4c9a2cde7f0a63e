export { type Settlement, settle } from './report.js';
export { runJob } from './run.js';
