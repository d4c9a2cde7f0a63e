import type { At, Built, Json } from '../../lib/index.js';
import type { PartedPlan } from './ledger.js';
import { type ChaosItem, entriesOf, MAX_SIZE, recordsOf, type Surroundings } from './sources.js';
import type { ChaosData } from './worker.config.js';

/** A kind of job in parts. `bad`: how many of its records always throw, at most. */
interface Form extends Omit<PartedPlan, 'bad'> {
  readonly name: (typeof PARTED)[keyof typeof PARTED];
  readonly kind: 'array' | 'typeorm.records';
  readonly bad: number;
}

/** The names of the jobs in parts, by what their processor does. */
export const PARTED = {
  plain: 'parted',
  once: 'parted once',
  skipping: 'parted skipping',
  continuing: 'parted continuing',
} as const;

/** In the order in which the workload adds them. */
const FORMS: readonly Form[] = [
  { name: PARTED.plain, kind: 'array', exactlyOnce: false, then: 'fail', bad: 0 },
  { name: PARTED.once, kind: 'typeorm.records', exactlyOnce: true, then: 'fail', bad: 0 },
  { name: PARTED.skipping, kind: 'typeorm.records', exactlyOnce: false, then: 'skip', bad: 8 },
  { name: PARTED.continuing, kind: 'array', exactlyOnce: false, then: 'continue', bad: 1 },
  { name: PARTED.plain, kind: 'typeorm.records', exactlyOnce: false, then: 'fail', bad: 1 },
  { name: PARTED.once, kind: 'array', exactlyOnce: true, then: 'fail', bad: 0 },
];
/** Numbers of parts, in turn. */
const COUNTS = [5, 1, 40, 3, 8, 2, 0] as const;

/** The job in parts of this number, counted from 0. */
export function partedJob(number: number, { size, random }: { readonly size: number; readonly random: () => number }) {
  const { bad: most, kind, name, ...form } = FORMS[number % FORMS.length] as Form;
  const parts = COUNTS[number % COUNTS.length] as number;
  const records = parts === 0 ? 0 : size;
  const bad = [...new Set(Array.from({ length: records && most }, () => Math.floor(random() * records)))];
  const plan: PartedPlan = { ...form, bad };
  return { name, data: { kind, size: records, parts, bad } satisfies Partial<ChaosData>, plan };
}

/** The value of a part. */
export type PartValue = { readonly index: number } & (
  | { readonly first: number; readonly size: number }
  | { readonly range: Json }
);

/** Slices of an array, of which each third one is empty, or key ranges of the table. */
export async function partsOf(
  { kind, parts = 0, size }: ChaosData,
  { enumerators, typeorm }: Surroundings,
): Promise<PartValue[]> {
  if (parts === 0) return [];
  if (kind !== 'array') {
    const ranges = await enumerators.typeorm.partitions(entriesOf(typeorm, size), { count: parts });
    return ranges.map((range, index) => ({ index, range }));
  }
  const full = Array.from({ length: parts }, (_, index) => index).filter((index) => parts === 1 || index % 3 !== 1);
  const cut = (nth: number) => Math.floor((size * nth) / full.length);
  return Array.from({ length: parts }, (_, index) => {
    const nth = full.indexOf(index);
    return { index, first: nth < 0 ? 0 : cut(nth), size: nth < 0 ? 0 : cut(nth + 1) - cut(nth) };
  });
}

export function partSourceOf(
  value: PartValue,
  { size }: ChaosData,
  { cursor, enumerators, typeorm }: Surroundings & At,
): Built<ChaosItem> {
  if ('first' in value) return enumerators.array(recordsOf(value.first, value.size), { cursor });
  const { range } = value;
  return enumerators.typeorm.records(entriesOf(typeorm, Math.min(size, MAX_SIZE)), { cursor, pageSize: 50, range });
}
