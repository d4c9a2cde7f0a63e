import { InvalidEnumeratorError } from '../../iteration.errors.js';

const TEXT = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?(?:Z|\+00(?::00)?)?$/;

/** The millisecond that a timestamp's text falls into: from `from` on, before `to`. */
export function bucketOf(text: string): { readonly from: Date; readonly to: Date } {
  const [, seconds, fraction = ''] = TEXT.exec(text) ?? [];
  if (seconds === undefined) {
    throw new InvalidEnumeratorError(
      `The timestamp ${text} has no place in a key: Prisma reads only the years 1 to 9999, and only in a session whose ` +
        "time zone is UTC. Set it for the connection: options: '-c TimeZone=UTC'",
    );
  }
  const from = new Date(`${seconds}.${fraction.slice(0, 3).padEnd(3, '0')}Z`);
  return { from, to: new Date(from.getTime() + 1) };
}
