import type { TunedSettings } from '../checkpoint/index.js';
import { type Cursor, checkJson } from '../cursor.js';
import { InvalidOptionsError } from '../iteration.errors.js';
import { check, checkOption, count, milliseconds, nonEmptyString, oneOf, type Rule, rate, required } from '../rules.js';
import { ITERATION_STATES } from './status.js';

/** Who asks for something, and why, for people. */
export interface AskedOptions {
  by?: string;
  reason?: string;
}

/** It is kept with the job, and shown. */
const LONGEST_TEXT = 1_000;

const text: Rule = (value) =>
  (typeof value === 'string' && value !== '' && value.length <= LONGEST_TEXT) ||
  `a text of 1 to ${LONGEST_TEXT} characters`;

const states: Rule = (value) =>
  (Array.isArray(value) && value.every((state) => ITERATION_STATES.includes(state))) ||
  `an array of ${ITERATION_STATES.join(', ')}`;

/** @throws InvalidOptionsError */
export function checkAsked(method: 'pause' | 'resume' | 'cancel', options: AskedOptions): void {
  check(method, options, method === 'resume' ? { by: text } : { by: text, reason: text });
}

/** @throws InvalidOptionsError, InvalidCursorError */
export function checkRestart(options: { cursor?: Cursor }): void {
  check('restart', options, ['cursor']);
  if (options.cursor !== undefined) checkJson(options.cursor);
}

/** @throws InvalidOptionsError */
export function checkFilter(filter: object, method = 'list'): void {
  check(method, filter, { states, name: nonEmptyString, olderThanMs: milliseconds, partOf: nonEmptyString });
}

/** @throws InvalidOptionsError */
export function checkBulk(action: string, asked: AskedOptions, filter: object): void {
  checkOption('bulk', ['action', action], required(oneOf('pause', 'resume', 'cancel', 'restart')));
  check('bulk', asked, { by: text, reason: text });
  checkFilter(filter, 'bulk');
}

/** The settings that are given. @throws InvalidOptionsError also when there are none */
export function checkTuned(settings: TunedSettings): TunedSettings {
  check('tune', settings, {
    itemConcurrency: count,
    itemsPerSecond: (value, where) => value === null || rate(value, where),
    batchSize: count,
  });
  const given = Object.entries(settings).filter(([, value]) => value !== undefined);
  if (given.length > 0) return Object.fromEntries(given) as TunedSettings;
  throw new InvalidOptionsError('tune: it has no settings. Give it itemConcurrency, itemsPerSecond or batchSize');
}
