export { crashLoop } from './crash.limit.js';
export { Suspects } from './quarantine.js';
export { tellOfSurvival } from './survivors.js';
