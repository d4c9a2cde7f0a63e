export { PartJobs, type PartResults } from './part.jobs.js';
export { partOf } from './part.option.js';
export { partsOf, savedPartIds } from './split.js';
