import type { InjectionToken, Type } from '@nestjs/common';
import type { ModulesContainer } from '@nestjs/core';

/** Nest's own description of a module and of a provider: types that `@nestjs/core` does not export by name. */
export type NestModule = ModulesContainer extends Map<string, infer Module> ? Module : never;
export type NestProvider = NestModule['providers'] extends Map<unknown, infer Provider> ? Provider : never;

/** A provider's class; for a factory or a value, the class of what it gave, or would give to a request. */
export function classOf(provider: NestProvider): Type | undefined {
  const { inject, instance, metatype, token } = provider;
  const given =
    (instance as object | undefined)?.constructor ?? (provider.isDependencyTreeStatic() ? undefined : token);
  const type = !metatype || inject ? given : metatype;
  return typeof type === 'function' ? (type as Type) : undefined;
}

/** What a module provides under `token`, its own before that of its imports, the nearest first. */
export function findProvided<T>(module: NestModule, token: InjectionToken): T | undefined {
  return findProvider(module, token)?.instance as T | undefined;
}

/** What {@link findProvided} finds, with what Nest knows of it. */
export function findProvider(module: NestModule, token: InjectionToken): NestProvider | undefined {
  const seen = new Set([module]);
  for (const { imports, providers } of seen) {
    const provider = providers.get(token);
    if (provider?.instance) return provider;
    for (const imported of imports) seen.add(imported);
  }
  return undefined;
}
