const BOMS = [Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from([0xff, 0xfe])];

/** The byte order mark that csv-parse skips at the beginning of a file; empty for none. */
export function bomOf(head: Buffer): Buffer {
  return BOMS.find((bom) => head.subarray(0, bom.length).equals(bom)) ?? Buffer.alloc(0);
}
