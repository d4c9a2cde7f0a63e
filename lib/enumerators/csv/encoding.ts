import { InvalidEnumeratorError } from '../../iteration.errors.js';
import type { ParserOptions } from './options.js';

const READ = [Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from([0xff, 0xfe])];

/** UTF-32LE first: its BOM begins with that of UTF-16LE. */
const REFUSED = {
  'UTF-32LE': Buffer.from([0xff, 0xfe, 0x00, 0x00]),
  'UTF-32BE': Buffer.from([0x00, 0x00, 0xfe, 0xff]),
  'UTF-16BE': Buffer.from([0xfe, 0xff]),
};

/**
 * The byte order mark that csv-parse skips at the beginning of a file. Empty for none, and with `bom: false`.
 *
 * @throws InvalidEnumeratorError for the mark of an encoding that csv-parse cannot read.
 */
export function bomOf(name: string, head: Buffer, { bom }: ParserOptions): Buffer {
  const startsWith = (mark: Buffer) => head.subarray(0, mark.length).equals(mark);
  if (!bom) return Buffer.alloc(0);
  const refused = Object.entries(REFUSED).find(([, mark]) => startsWith(mark));
  if (!refused) return READ.find(startsWith) ?? Buffer.alloc(0);
  throw new InvalidEnumeratorError(
    `${name} begins with the byte order mark of ${refused[0]}, which csv-parse cannot read. Give a function that decodes it ` +
      '(see docs/sources.md), or bom: false if these bytes belong to the first record',
  );
}
