import { InvalidEnumeratorError } from '../../iteration.errors.js';

const TEXT = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?(?:Z|\+00(?::00)?)?$/;

/** The millisecond that a timestamp's text falls into: from `from` on, before `to`. */
export function bucketOf(text: string): { readonly from: Date; readonly to: Date } {
  const moment = momentOf(text);
  if (moment === undefined) {
    throw new InvalidEnumeratorError(
      `The timestamp ${text} has no place in a key: Prisma reads only the years 1 to 9999, and only in a session whose ` +
        "time zone is UTC. Set it for the connection: options: '-c TimeZone=UTC'",
    );
  }
  const from = new Date(`${moment.slice(0, -3)}Z`);
  return { from, to: new Date(from.getTime() + 1) };
}

/** A timestamp to the microsecond, as a text that sorts by time; undefined: Prisma cannot read it. */
export function momentOf(text: string): string | undefined {
  const [, seconds, fraction = ''] = TEXT.exec(text) ?? [];
  return seconds === undefined ? undefined : `${seconds}.${fraction.padEnd(6, '0')}`;
}
