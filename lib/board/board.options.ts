import type { CanActivate, Type } from '@nestjs/common';
import { InvalidOptionsError } from '../iteration.errors.js';
import { check, flag, oneOf, type Rule } from '../rules.js';

/** Options of the board. It starts only with `guards` or `token`, unless `access` is `'public'`. */
export interface BoardOptions {
  /** The board's address in the application, after its global prefix. Default: `iterations`. */
  path?: string;
  /** Nest guards of every route, the page included. A guard that no module provides is created by the board's module. */
  guards?: readonly Type<CanActivate>[];
  /** A shared secret. The page asks for it, and sends it as `Authorization: Bearer`. */
  token?: string | undefined;
  /** `'public'`: whoever reaches the application may see and control its jobs. Default: `'protected'`. */
  access?: 'protected' | 'public';
  /** Shows the jobs, and refuses every control. Default: false. */
  readOnly?: boolean;
}

export interface ResolvedBoardOptions {
  readonly path: string;
  readonly guards: readonly Type<CanActivate>[];
  readonly token: string | undefined;
  readonly readOnly: boolean;
}

export const BOARD_OPTIONS = Symbol('IterationBoardModule options');

const WHERE = 'IterationBoardModule';

const pathRule: Rule = (value) =>
  (typeof value === 'string' && withoutSlashes(value) !== '') || 'a path such as "iterations"';
const guardClasses: Rule = (value) =>
  (Array.isArray(value) && value.every((guard) => typeof guard === 'function')) || 'an array of guard classes';
/** Browsers send no other characters in a header. */
const tokenRule: Rule = (value) =>
  (typeof value === 'string' && /^[!-~]([ -~]*[!-~])?$/.test(value)) || 'a string of printable ASCII characters';

/** @throws InvalidOptionsError also for a board that nothing protects */
export function resolveBoardOptions(options: unknown): ResolvedBoardOptions {
  check(WHERE, options, {
    path: pathRule,
    guards: guardClasses,
    token: tokenRule,
    access: oneOf('protected', 'public'),
    readOnly: flag,
  });
  const { path = 'iterations', guards = [], token, access = 'protected', readOnly = false } = options as BoardOptions;
  if (guards.length === 0 && token === undefined && access === 'protected') {
    throw new InvalidOptionsError(
      `${WHERE}: nothing protects the board, and whoever reaches it can cancel jobs. Give it "guards" or a "token", ` +
        "or set access: 'public' if the application is protected otherwise",
    );
  }
  return { path: withoutSlashes(path), guards, token, readOnly };
}

function withoutSlashes(path: string): string {
  return path.replace(/^\/+|\/+$/g, '');
}
