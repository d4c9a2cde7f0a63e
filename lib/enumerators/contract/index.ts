export type { At, Built, Enumerator, EnumeratorLike } from './enumerator.js';
export { indexCursor } from './index-cursor.js';
export { type KeyColumn, type KeysetOptions, resolveKeysetOptions } from './keyset-options.js';
export { type KeyedRow, type KeysetQuery, type KeyValues, keysetPages } from './keyset-pages.js';
export { readAhead } from './read-ahead.js';
export { isEnumeratorLike, readerOf, readIterable } from './reader-of.js';
export { type Bounds, type Page, type PageReader, readPages, type Source, SourceEnumerator } from './source.js';
