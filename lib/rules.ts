import { describe } from './describe.js';
import { InvalidOptionsError } from './iteration.errors.js';

/** True, or what is valid. */
export type Rule = ((value: unknown, where: string) => true | string) & { readonly isRequired?: true };
export type Rules = Readonly<Record<string, Rule>>;

/** An option that must be given. */
export const required = (rule: Rule): Rule =>
  Object.assign((value: unknown, where: string) => rule(value, where), { isRequired: true as const });

/** Node's timers count in 32 bits: a longer one would fire at once. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1;

export const milliseconds: Rule = (value) =>
  (typeof value === 'number' && value >= 0) || 'a number of milliseconds, 0 or more';
export const delay: Rule = (value) =>
  (typeof value === 'number' && value >= 0 && value < Infinity) || 'a number of milliseconds, 0 or more';
export const timer: Rule = (value) =>
  (typeof value === 'number' && value >= 0 && value <= LONGEST_TIMER_MS) ||
  `a number of milliseconds, 0 to ${LONGEST_TIMER_MS}`;
export const interval: Rule = (value) =>
  (typeof value === 'number' && value > 0 && value < Infinity) || 'a number of milliseconds, more than 0';
export const count: Rule = (value) =>
  (Number.isSafeInteger(value) && (value as number) >= 1) || 'a whole number, 1 or more';
export const countOrNone: Rule = (value) =>
  (Number.isSafeInteger(value) && (value as number) >= 0) || 'a whole number, 0 or more';
export const rate: Rule = (value) =>
  (typeof value === 'number' && value > 0 && value < Infinity) || 'a number of items a second, more than 0';
export const nonEmptyString: Rule = (value) =>
  (typeof value === 'string' && value !== '') || 'a string that is not empty';
export const flag: Rule = (value) => typeof value === 'boolean' || 'true or false';
export const aFunction: Rule = (value) => typeof value === 'function' || 'a function';
export const oneOf =
  (...values: readonly string[]): Rule =>
  (value) =>
    values.includes(value as string) || values.map((known) => `'${known}'`).join(' or ');
export const object =
  (rules: Rules): Rule =>
  (value, where) => {
    check(where, value, rules);
    return true;
  };

/**
 * Checks the options that a user gave.
 *
 * @param where The method that takes them, for the error: `typeorm.records`.
 * @param known Each option with its rule, or only the names.
 * @throws InvalidOptionsError for anything but an object, for an unknown option, and for one that its rule refuses.
 */
export function check(where: string, options: unknown, known: Rules | readonly string[]): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new InvalidOptionsError(`${where}: the options are ${describe(options)}; they must be an object`);
  }
  const names = Array.isArray(known) ? (known as readonly string[]) : Object.keys(known);
  const unknown = Object.keys(options).find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw new InvalidOptionsError(`${where}: unknown option "${unknown}". ${suggestion(unknown, names)}`);
  }
  if (Array.isArray(known)) return;
  for (const [name, rule] of Object.entries(known as Rules)) {
    checkOption(where, [name, (options as Readonly<Record<string, unknown>>)[name]], rule);
  }
}

/** @throws InvalidOptionsError for a value that the rule refuses. An option that is left out is only checked if it is required. */
export function checkOption(where: string, [name, value]: readonly [string, unknown], rule: Rule): void {
  if (value === undefined && !rule.isRequired) return;
  const verdict = rule(value, `${where}, option "${name}"`);
  if (verdict !== true) {
    throw new InvalidOptionsError(`${where}: option "${name}" is ${describe(value)}; it must be ${verdict}`);
  }
}

function suggestion(name: string, known: readonly string[]): string {
  const closest = nearest(name, known);
  return editDistance(name, closest) <= name.length / 2
    ? `Did you mean "${closest}"?`
    : `The options are: ${known.join(', ')}`;
}

/** The name with the fewest edits to `name`. */
export function nearest(name: string, known: readonly string[]): string {
  const distances = known.map((candidate) => editDistance(name, candidate));
  return known[distances.indexOf(Math.min(...distances))] ?? '';
}

function editDistance(one: string, other: string): number {
  const [from, to] = [one.toLowerCase(), other.toLowerCase()];
  let previous = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i++) {
    const current = [i];
    for (let j = 1; j <= to.length; j++) {
      const substitution = (previous[j - 1] as number) + (from[i - 1] === to[j - 1] ? 0 : 1);
      current.push(Math.min((previous[j] as number) + 1, (current[j - 1] as number) + 1, substitution));
    }
    previous = current;
  }
  return previous.at(-1) as number;
}
