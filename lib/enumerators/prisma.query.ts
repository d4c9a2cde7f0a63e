import { InvalidOptionsError } from '../iteration.errors.js';
import type { OpenedModel, PrismaValues } from './prisma.client.js';
import type { KeyField } from './prisma.key.js';
import type { Where } from './prisma.where.js';

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
  readonly #args: FindManyArgs;
  readonly #shape: FindManyArgs;
  readonly #hidden: readonly string[];
  readonly #orderBy: readonly object[];

  /**
   * @param options.fields What is read of every row.
   * @throws InvalidOptionsError for arguments that the source itself sets.
   */
  constructor(
    opened: OpenedModel,
    args: object,
    options: { readonly key: readonly KeyField[]; readonly fields: readonly string[] },
  ) {
    refuseOwned(args, opened);
    this.name = `${opened.model.name} by (${options.key.map(({ field }) => field.name).join(', ')})`;
    this.#opened = opened;
    this.#args = { ...args };
    const { select, omit } = this.#args;
    const given = (field: string) =>
      select ? select[field] === true : !(omit?.[field] ?? opened.omitted.includes(field));
    this.#hidden = options.fields.filter((field) => !given(field));
    const added = Object.fromEntries(this.#hidden.map((field) => [field, Boolean(select)]));
    this.#shape =
      this.#hidden.length === 0 ? {} : select ? { select: { ...select, ...added } } : { omit: { ...omit, ...added } };
    this.#orderBy = options.key.map(({ field, order }) => ({ [field.name]: order }));
  }

  /** The first `limit` rows of the user's that are also in all of `wheres`, in the order of the key. */
  async find(wheres: readonly Where[], limit: number): Promise<readonly PrismaValues[]> {
    const { where } = this.#args;
    const AND = where ? [where, ...wheres] : wheres;
    const filter = AND.length > 0 ? { where: { AND } } : {};
    const { delegate } = this.#opened;
    return delegate.findMany({ ...this.#args, ...this.#shape, ...filter, orderBy: this.#orderBy, take: limit });
  }

  /** The row as the user asked for it. */
  handedOut(row: PrismaValues): PrismaValues {
    if (this.#hidden.length === 0) return row;
    return Object.fromEntries(Object.entries(row).filter(([field]) => !this.#hidden.includes(field)));
  }

  async count(): Promise<number> {
    const { where } = this.#args;
    return this.#opened.delegate.count(where ? { where } : {});
  }
}

function refuseOwned(args: unknown, { model }: OpenedModel): asserts args is object {
  if (typeof args !== 'object' || args === null || Array.isArray(args)) {
    throw new InvalidOptionsError(
      `prisma.records: the arguments for ${model.name} are no object. Pass what findMany takes, or {}`,
    );
  }
  const owned = OWNED.find((name) => (args as Record<string, unknown>)[name] !== undefined);
  if (owned === undefined) return;
  throw new InvalidOptionsError(
    `prisma.records: "${owned}" is given for ${model.name}, and the source itself sets it. ` +
      "Order by the option key, and limit with the builder's take()",
  );
}
