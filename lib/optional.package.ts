import { MissingDependencyError } from './iteration.errors.js';

/**
 * Loads an optional package where it is used.
 *
 * @param options.feature What needs it, for the error.
 * @throws MissingDependencyError when it is not installed
 */
export async function loadOptional<Package>(
  { feature, name }: { readonly feature: string; readonly name: string },
  load: () => Promise<Package>,
): Promise<Package> {
  try {
    return await load();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'MODULE_NOT_FOUND' && code !== 'ERR_MODULE_NOT_FOUND') throw error; // of require, and of import
    throw new MissingDependencyError(name, feature, { cause: error });
  }
}
