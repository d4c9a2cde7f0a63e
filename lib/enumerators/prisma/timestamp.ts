import { InvalidEnumeratorError } from '../../iteration.errors.js';

const TEXT = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?(?:Z|\+00(?::00)?)?$/;

/** The offset that PostgreSQL's JSON writes after a time: none after one without a time zone. */
export type Offset = '' | '+00:00';

/**
 * A time of whole milliseconds as PostgreSQL's JSON and cursors have it; undefined: Prisma could not read it.
 *
 * Prisma makes an invalid Date of a time outside the years 1 to 9999, such as `infinity`.
 */
export function textOf(time: Date, offset: Offset): string | undefined {
  const ms = time.getTime();
  if (!(ms >= FIRST_MS && ms <= LAST_MS)) return undefined;
  const end = ms % 1_000 === 0 ? SECONDS : ms % 100 === 0 ? TENTHS : ms % 10 === 0 ? TENTHS + 1 : TENTHS + 2;
  return time.toISOString().slice(0, end) + offset;
}

const FIRST_MS = Date.parse('0001-01-01T00:00:00Z');
const LAST_MS = Date.parse('9999-12-31T23:59:59.999Z');
const SECONDS = '2026-01-01T00:00:00'.length;
const TENTHS = '2026-01-01T00:00:00.1'.length;

/** Whether a text has more of a time than a Date holds. */
export function hasMicroseconds(text: string): boolean {
  return /\.\d{3}\d*[1-9]/.test(text);
}

/** The millisecond of a timestamp's text: from `from` on, and before `to`. */
export function millisecondOf(text: string): { readonly from: Date; readonly to: Date } {
  const moment = momentOf(text);
  if (moment === undefined) {
    throw new InvalidEnumeratorError(
      `The timestamp ${text} cannot be in a key: Prisma reads only the years 1 to 9999, and only in a session whose ` +
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
