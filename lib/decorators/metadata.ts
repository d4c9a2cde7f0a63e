import 'reflect-metadata';
import type { IterationEvent } from '../definition/index.js';
import { InvalidProcessorError } from '../iteration.errors.js';
import type { ProcessorOptions } from '../iteration.options.js';

/** What a decorator records about a method. */
export type Role =
  | { readonly type: 'build' }
  | { readonly type: 'partitions' }
  | { readonly type: 'each' }
  | { readonly type: 'around' }
  | { readonly type: 'on'; readonly event: IterationEvent };

export interface Mark {
  readonly method: string | symbol;
  readonly role: Role;
}

const MARKS = Symbol('nestjs-iteration:marks');
const OPTIONS = Symbol('nestjs-iteration:options');

/** Records a role of a method of the class that `target` is the prototype of. */
export function mark(target: object, method: string | symbol, role: Role): void {
  if (typeof target === 'function') {
    throw new InvalidProcessorError(
      target.name,
      `the static method ${String(method)} is decorated; decorate a method of the instance`,
    );
  }
  const type = target.constructor;
  Reflect.defineMetadata(MARKS, [...ownMarks(type), { method, role }], type);
}

/** The roles of a class's methods, its base classes' first; an overridden method keeps its role. */
export function marksOf(type: object): readonly Mark[] {
  const base: unknown = Object.getPrototypeOf(type);
  const inherited = typeof base === 'function' && base !== Function.prototype ? marksOf(base) : [];
  const known = (candidate: Mark) => (mark: Mark) =>
    mark.method === candidate.method && sameRole(mark.role, candidate.role);
  // Property decorators run from the first method to the last.
  return [...inherited, ...ownMarks(type).filter((own) => !inherited.some(known(own)))];
}

/** Anything but an object is taken as the queue's name, and refused with the other options when it is none. */
export function markProcessor(type: object, options: string | ProcessorOptions): void {
  const whole = typeof options === 'object' && options !== null ? options : { queue: options };
  Reflect.defineMetadata(OPTIONS, whole, type);
}

/** What `@IterativeProcessor` of the class, or of a base class, was given; undefined when there is none. */
export function processorOptionsOf(type: object): ProcessorOptions | undefined {
  return Reflect.getMetadata(OPTIONS, type) as ProcessorOptions | undefined;
}

function ownMarks(type: object): readonly Mark[] {
  return (Reflect.getOwnMetadata(MARKS, type) as Mark[] | undefined) ?? [];
}

function sameRole(one: Role, other: Role): boolean {
  return one.type === other.type && (one.type !== 'on' || one.event === (other as typeof one).event);
}
