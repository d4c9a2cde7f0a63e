import { InvalidOptionsError } from '../../iteration.errors.js';
import type { ModelDelegate, OpenedModel, PrismaValues } from './client.js';
import type { Where } from './compare.js';
import type { KeyField } from './key.js';
import { sizeOf } from './size.js';

const OWNED = ['orderBy', 'cursor', 'take', 'skip', 'distinct'];

interface FindManyArgs {
  readonly where?: Where;
  readonly select?: Readonly<Record<string, unknown>>;
  readonly omit?: Readonly<Record<string, unknown>>;
}

/** The user's `findMany`, with the fields that the key needs, whatever its `select` and `omit` say. */
export class PrismaQuery {
  /** For error messages: `User by (createdAt, id)`. */
  readonly name: string;
  readonly #opened: OpenedModel;
  readonly #delegate: ModelDelegate;
  readonly #args: FindManyArgs;
  readonly #shape: FindManyArgs;
  readonly #hidden: readonly string[];
  readonly #orderBy: readonly object[];

  /**
   * @param options.fields The fields that are read of every row.
   * @param options.alone Whether no other field is read.
   * @param options.delegate The delegate that reads; by default the one that was opened.
   * @throws InvalidOptionsError for arguments that the source itself sets.
   */
  constructor(
    opened: OpenedModel,
    args: object,
    options: {
      readonly key: readonly KeyField[];
      readonly fields: readonly string[];
      readonly alone?: boolean;
      readonly delegate?: ModelDelegate;
    },
  ) {
    refuseOwned(args, opened);
    if (options.alone) refuseShapes(args, opened);
    this.name = `${opened.model.name} by (${options.key.map(({ field }) => field.name).join(', ')})`;
    this.#opened = opened;
    this.#delegate = options.delegate ?? opened.delegate;
    this.#args = options.alone ? { ...args, select: flags(options.fields, true) } : { ...args };
    const { select, omit } = this.#args;
    const given = (field: string) =>
      select ? select[field] === true : !(omit?.[field] ?? opened.omitted.includes(field));
    this.#hidden = options.fields.filter((field) => !given(field));
    const added = flags(this.#hidden, Boolean(select));
    this.#shape =
      this.#hidden.length === 0 ? {} : select ? { select: { ...select, ...added } } : { omit: { ...omit, ...added } };
    this.#orderBy = options.key.map(({ field, order, nulls }) => ({
      [field.name]: nulls ? { sort: order, nulls } : order,
    }));
  }

  /** The user's first rows that match all of `wheres`, in the order of the key. A negative `take` returns the last rows. */
  async find(wheres: readonly Where[], slice: { take: number; skip?: number }): Promise<readonly PrismaValues[]> {
    return this.#delegate.findMany({
      ...this.#args,
      ...this.#shape,
      ...this.#filter(wheres),
      orderBy: this.#orderBy,
      ...slice,
    });
  }

  /** A `where` of the user's rows that match all of `wheres`. */
  where(wheres: readonly Where[]): Where {
    return this.#filter(wheres).where ?? {};
  }

  /** The row as the user selected it. */
  handedOut(row: PrismaValues): PrismaValues {
    if (this.#hidden.length === 0) return row;
    return Object.fromEntries(Object.entries(row).filter(([field]) => !this.#hidden.includes(field)));
  }

  /** How many of the user's rows match all of `wheres`. */
  async count(wheres: readonly Where[]): Promise<number> {
    return this.#delegate.count(this.#filter(wheres));
  }

  /** How many of the user's rows match all of `wheres`, if they can be counted in time. */
  async size(options?: { readonly exact: boolean }, wheres: readonly Where[] = []): Promise<number | undefined> {
    return sizeOf(this.#opened, this.#filter(wheres).where, options);
  }

  #filter(wheres: readonly Where[]): { readonly where?: Where } {
    const { where } = this.#args;
    const parts = [where ?? {}, ...wheres].filter((part) => Object.keys(part).length > 0);
    return parts.length > 1 ? { where: { AND: parts } } : parts[0] ? { where: parts[0] } : {};
  }
}

function flags(names: readonly string[], flag: boolean): Readonly<Record<string, boolean>> {
  return Object.fromEntries(names.map((name) => [name, flag]));
}

/** @throws InvalidOptionsError for arguments other than `where`. */
function refuseShapes(args: object, { source, model }: OpenedModel): void {
  const other = Object.keys(args).find((name) => name !== 'where');
  if (other === undefined) return;
  throw new InvalidOptionsError(
    `${source}: "${other}" is given for ${model.name}, but no rows are read here. Pass { where }, or {}`,
  );
}

function refuseOwned(args: unknown, { model, source }: OpenedModel): asserts args is object {
  if (typeof args !== 'object' || args === null || Array.isArray(args)) {
    throw new InvalidOptionsError(
      `${source}: the arguments for ${model.name} are not an object. Pass those of findMany, or {}`,
    );
  }
  const owned = OWNED.find((name) => (args as Record<string, unknown>)[name] !== undefined);
  if (owned === undefined) return;
  throw new InvalidOptionsError(
    `${source}: "${owned}" is given for ${model.name}, but the source sets it itself. ` +
      "Order by the option key, and limit with the builder's take()",
  );
}
