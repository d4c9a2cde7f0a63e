/** The same object with another method. Its other methods keep the object itself as `this`, so its private fields work. */
export function withMethod<T extends object>(object: T, name: PropertyKey | undefined, method: unknown): T {
  return new Proxy(object, {
    get: (target, key) => {
      if (key === name) return method;
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
