/** The record delimiters that csv-parse tries when none is given, in its order. */
export function lineEnds(encoding: BufferEncoding): Buffer[] {
  return ['\r\n', '\n', '\r'].map((end) => Buffer.from(end, encoding));
}

/** The delimiter that the bytes start with. csv-parse takes the first match of the list. */
export function delimiterAt(bytes: Buffer, delimiters: readonly Buffer[]): Buffer | undefined {
  return delimiters.find((delimiter) => bytes.subarray(0, delimiter.length).equals(delimiter));
}

/** The delimiter that the bytes end with. csv-parse never finds a delimiter that starts with an earlier one of the list. */
export function delimiterBefore(bytes: Buffer, delimiters: readonly Buffer[]): Buffer | undefined {
  return delimiters
    .filter((delimiter) => bytes.subarray(-delimiter.length).equals(delimiter))
    .filter((delimiter) => delimiterAt(delimiter, delimiters)?.equals(delimiter))
    .sort((one, other) => other.length - one.length)[0];
}

/** Whether csv-parse counts a line at this delimiter. */
export function isNewline([first]: Buffer): boolean {
  return first === 10 || first === 13;
}
