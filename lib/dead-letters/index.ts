export { type DeadLetter, type DeadLetterRecord, keptError, summaryOf } from './dead-letter.js';
export { DeadLetterQueue, type LetterData } from './dead-letter.queue.js';
export { REDRIVE, RedrivenItem, type RedriveOf, redriveEnumerator, redriveOf } from './redrive.js';
