import type { SharedStore } from '../checkpoint/index.js';
import type { Part } from './part.option.js';

/** What a part has skipped and seen, or all parts together. */
export interface SkipCount {
  readonly skipped: number;
  readonly seen: number;
}

/** Kept beside the whole's checkpoint. Parts are named by their index. */
interface Shared {
  /** The life of the whole that it belongs to. */
  readonly life: number;
  /** Before this time no item may begin, in milliseconds since 1970 by the backend's clock. */
  readonly nextItemAt?: number;
  readonly skips?: Readonly<Record<string, readonly [skipped: number, seen: number]>>;
  /** How many items each part may have in flight, and until when unless it renews that. */
  readonly slots?: Readonly<Record<string, readonly [items: number, until: number]>>;
  readonly canary?: {
    readonly seen: Readonly<Record<string, number>>;
    /** The part that handles the first items, and until when unless it renews that. */
    readonly holder?: readonly [index: string, until: number] | undefined;
  };
}

/** Where several items are due in this time, they may begin together: a part asks for all of them at once. */
export const BURST_MS = 50;

/**
 * The limits of a job that is split, which its parts share wherever they run. Each change is made in one step, and again when
 * another part was faster. What a part says of itself replaces what it said before: a part that dies and runs again counts once.
 */
export class WholeJob {
  readonly #index: string;

  constructor(
    private readonly store: SharedStore,
    private readonly part: Part,
  ) {
    this.#index = String(part.index);
  }

  /** Lets items begin, if it is time (R34). @returns 0, or after how many milliseconds to ask again. */
  beginItems(count: number, intervalMs: number): Promise<number> {
    return this.#change((shared, now) => {
      // Not later than after one interval, or as many as begin together: the limit may have been raised.
      const next = Math.min(shared.nextItemAt ?? 0, now + Math.max(intervalMs, BURST_MS));
      if (next > now) return [{ ...shared, nextItemAt: next }, next - now];
      const from = Math.max(next, now - (intervalMs < BURST_MS ? BURST_MS : 0));
      return [{ ...shared, nextItemAt: from + count * intervalMs }, 0];
    });
  }

  /**
   * Counts what this part has skipped, unless a limit is reached.
   *
   * @param isReached Of what all parts together would then have.
   * @returns what they have had before, when a limit is reached.
   */
  countSkips(own: SkipCount, isReached?: (all: SkipCount) => boolean): Promise<SkipCount | undefined> {
    return this.#change<SkipCount | undefined>((shared) => {
      const { [this.#index]: before = [0, 0] as const, ...others } = shared.skips ?? {};
      const sum = ([skipped, seen]: readonly [number, number]): SkipCount => ({
        skipped: skipped + Object.values(others).reduce((total, [each]) => total + each, 0),
        seen: seen + Object.values(others).reduce((total, [, each]) => total + each, 0),
      });
      const after = [own.skipped, own.seen] as const;
      if (isReached?.(sum(after))) return [shared, sum(before)];
      return [{ ...shared, skips: { ...others, [this.#index]: after } }, undefined];
    });
  }

  /**
   * Takes this part's share of the items that may be in flight, for a while: each part has the same.
   *
   * @param options `inFlight`: what has begun, which counts until it has ended.
   * @returns `items`: how many this part may have in flight; 0: others have them now. `ahead`: how many parts come between those
   *   that have some and this one.
   */
  takeSlots(
    limit: number,
    { inFlight, forMs, wants = limit }: { inFlight: number; forMs: number; wants?: number },
  ): Promise<{ readonly items: number; readonly ahead: number }> {
    return this.#change((shared, now) => {
      const { index } = this.part;
      const all = Object.entries(shared.slots ?? {}).filter(([, [, until]]) => until > now);
      const others = all.filter(([other]) => other !== this.#index);
      const taken = others.reduce((sum, [, [items]]) => sum + items, 0);
      const share = Math.ceil(limit / (others.length + 1));
      // Where the limit was lowered, the first parts keep one each.
      const isFirst = inFlight > 0 && others.filter(([other]) => Number(other) < index).length < limit;
      const items = Math.max(isFirst ? 1 : 0, Math.min(wants, share, limit - taken));
      const ahead = Math.max(0, index - Math.max(...others.map(([other]) => Number(other)), 0));
      const slots = Object.fromEntries(others);
      // A part that waits is known to the others, which then take less: but not more parts than there are items.
      if (items === 0 && inFlight === 0 && others.length >= limit)
        return [
          { ...shared, slots },
          { items, ahead },
        ];
      const own = [Math.max(items, inFlight), now + forMs] as const;
      return [
        { ...shared, slots: { ...slots, [this.#index]: own } },
        { items, ahead },
      ];
    });
  }

  /**
   * Makes this part, for a while, the one that handles the whole's first items (R35).
   *
   * @param options `seen`: items that it has passed.
   * @returns how many of the first `items` are left; undefined: another part handles them now.
   */
  takeCanary(items: number, { seen, forMs }: { seen: number; forMs: number }): Promise<number | undefined> {
    return this.#change<number | undefined>((shared, now) => {
      const { holder: [holder, until] = [this.#index, 0], seen: known = {} } = shared.canary ?? {};
      if (holder !== this.#index && until > now) return [shared, undefined];
      const all = { ...known, [this.#index]: seen };
      const left = items - Object.values(all).reduce((sum, each) => sum + each, 0);
      return [{ ...shared, canary: { seen: all, holder: [this.#index, now + forMs] } }, Math.max(0, left)];
    });
  }

  /** The run of this part ends: what it holds is free for others. */
  release({ skips, seen }: { readonly skips: SkipCount | undefined; readonly seen: number }): Promise<void> {
    return this.#change((shared) => {
      const { [this.#index]: _, ...slots } = shared.slots ?? {};
      const { canary } = shared;
      const isHolder = canary?.holder?.[0] === this.#index;
      return [
        {
          ...shared,
          ...(shared.slots && { slots }),
          ...(skips && { skips: { ...shared.skips, [this.#index]: [skips.skipped, skips.seen] as const } }),
          ...(isHolder && { canary: { seen: { ...canary.seen, [this.#index]: seen } } }),
        },
        undefined,
      ];
    });
  }

  async #change<Answer>(change: (shared: Shared, now: number) => readonly [Shared, Answer]): Promise<Answer> {
    for (;;) {
      const { text, now } = await this.store.shared(this.part.of);
      const [next, answer] = change(this.#read(text), now);
      const written = JSON.stringify(next);
      if (written === text) return answer;
      // Of a job that was removed, nothing is limited.
      if ((await this.store.replaceShared(this.part.of, text, written)) !== 'changed') return answer;
    }
  }

  /** A job that starts anew shares nothing with its earlier life. */
  #read(text: string | undefined): Shared {
    const shared = text === undefined ? undefined : (JSON.parse(text) as Shared);
    return shared?.life === this.part.life ? shared : { life: this.part.life };
  }
}
