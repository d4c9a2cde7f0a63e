/** The module's options, resolved. */
export const ITERATION_OPTIONS = Symbol('nestjs-iteration:options');
