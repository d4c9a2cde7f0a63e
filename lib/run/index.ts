export { type RunReport, reportToBullMQ } from './report.js';
export { runJob } from './run.job.js';
