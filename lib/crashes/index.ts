export { crashVerdict } from './crash.limit.js';
export { Quarantine } from './quarantine.js';
export { reportSurvivor } from './survivors.js';
