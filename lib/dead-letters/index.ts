export { type DeadLetter, keptError, type Letter } from './dead-letter.js';
export { DeadLetters, type LetterData } from './dead-letter.queue.js';
export { REDRIVE, Redriven, type RedriveOf, redriveEnumerator, redriveOf } from './redrive.js';
