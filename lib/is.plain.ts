/**
 * Whether an object is of no class. Also one of another realm: in Jest, what `structuredClone` returns has another
 * `Object.prototype`.
 */
export function isPlain(value: object): boolean {
  const prototype: object | null = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
