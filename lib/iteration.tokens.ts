/** The token of the module's options, as they were given: for `overrideProvider` in tests. */
export const ITERATION_OPTIONS = Symbol('nestjs-iteration:options');
