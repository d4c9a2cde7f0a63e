import { InvalidOptionsError } from '../../iteration.errors.js';

/** @throws InvalidOptionsError for an option that is not among `rules`, or not as its rule says. */
export function checkHostOptions(
  where: string,
  options: object,
  rules: Readonly<Record<string, (value: unknown) => true | string>>,
): void {
  for (const [name, value] of Object.entries(options)) {
    const rule = Object.hasOwn(rules, name) ? rules[name] : undefined;
    if (!rule) {
      throw new InvalidOptionsError(`${where}: there is no option "${name}". Use ${Object.keys(rules).join(', ')}`);
    }
    const verdict = value === undefined || rule(value);
    if (verdict !== true) {
      throw new InvalidOptionsError(
        `${where}: "${name}" is ${typeof value === 'string' ? JSON.stringify(value) : String(value)}. It must be ${verdict}`,
      );
    }
  }
}
