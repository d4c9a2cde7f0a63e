export { endOfLeftOver } from './left.over.js';
export { PartJobs, partPrefixOf } from './part.jobs.js';
export { type Part, type PartPlace, partOf, partPlaceOf, requestOfWhole, stronger } from './part.option.js';
export { type PartResults, partStateOf } from './part.results.js';
export { partsOf, savedPartIds } from './split.js';
export { BURST_MS, type SkipCount, WholeJob } from './whole.job.js';
