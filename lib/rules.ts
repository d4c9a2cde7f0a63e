import { inspect } from 'node:util';
import { InvalidOptionsError } from './iteration.errors.js';

/** True, or what would have been right. */
export type Rule = (value: unknown, where: string) => true | string;
export type Rules = Readonly<Record<string, Rule>>;

export const milliseconds: Rule = (value) =>
  (typeof value === 'number' && value >= 0 && !Number.isNaN(value)) || 'a number of milliseconds, 0 or more';
/** Node's timers count in 32 bits: a longer one would fire at once. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1;
export const timer: Rule = (value) =>
  (typeof value === 'number' && value >= 0 && value <= LONGEST_TIMER_MS) ||
  `a number of milliseconds, 0 to ${LONGEST_TIMER_MS}`;
export const interval: Rule = (value) =>
  (typeof value === 'number' && value > 0 && value < Infinity) || 'a number of milliseconds, more than 0';
export const count: Rule = (value) =>
  (Number.isInteger(value) && (value as number) >= 1) || 'a whole number, 1 or more';
export const countOrNone: Rule = (value) =>
  (Number.isInteger(value) && (value as number) >= 0) || 'a whole number, 0 or more';
export const nonEmptyString = (value: unknown): true | string =>
  (typeof value === 'string' && value !== '') || 'a string that is not empty';
export const object =
  (rules: Rules): Rule =>
  (value, where) => {
    check(where, value, rules);
    return true;
  };
export function check(where: string, options: unknown, rules: Rules): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new InvalidOptionsError(`${where}: the options are ${inspect(options)}; they must be an object`);
  }
  for (const [name, value] of Object.entries(options)) {
    const rule = Object.hasOwn(rules, name) ? rules[name] : undefined;
    if (!rule) {
      throw new InvalidOptionsError(
        `${where}: unknown option "${name}". Did you mean "${nearest(name, Object.keys(rules))}"?`,
      );
    }
    checkOption(where, [name, value], rule);
  }
}

export function checkOption(where: string, [name, value]: readonly [string, unknown], rule: Rule): void {
  const verdict = value === undefined || rule(value, `${where}, option "${name}"`);
  if (verdict !== true) {
    throw new InvalidOptionsError(
      `${where}: option "${name}" is ${inspect(value, { depth: 1, breakLength: Infinity })}; it must be ${verdict}`,
    );
  }
}

/** The name with the fewest edits to `name`. */
export function nearest(name: string, known: readonly string[]): string {
  const distances = known.map((candidate) => editDistance(name.toLowerCase(), candidate.toLowerCase()));
  return known[distances.indexOf(Math.min(...distances))] ?? '';
}

function editDistance(from: string, to: string): number {
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
