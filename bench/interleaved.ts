import { type Figure, type Spread, spreadOf, type Target } from './figure.js';

/** The seconds of each contender, round by round; or another measured value. */
export class Rounds<Name extends string> {
  constructor(private readonly seconds: Readonly<Record<Name, readonly number[]>>) {}

  median(name: Name): number {
    return this.spread(name).median;
  }

  spread(name: Name): Spread {
    return spreadOf(this.seconds[name]);
  }

  /**
   * The speed of `ours` divided by that of `against`, per round: the machine's own speed changes from round to round.
   */
  speed(ours: Name, against: Name): Spread {
    return this.#ratio(against, ours);
  }

  /** The time of `ours` divided by that of `against`, per round. */
  time(ours: Name, against: Name): Spread {
    return this.#ratio(ours, against);
  }

  #ratio(one: Name, other: Name): Spread {
    return spreadOf(this.seconds[one].map((seconds, round) => seconds / (this.seconds[other][round] as number)));
  }

  /** Compares two contenders by rate: each run handles `items` items, named by `unit` (`rows`). */
  rates(what: string, { ours, against, items, unit, target, name = against }: RatesOptions<Name>): Figure {
    const rate = (contender: Name) => asRate(items / this.median(contender), unit);
    return {
      what,
      ours: rate(ours),
      against: `${name}: ${rate(against)}`,
      ratio: this.speed(ours, against),
      ...(target && { target }),
    };
  }

  /** Compares two contenders by the measured value: less is better. */
  measures(what: string, { ours, against, asText, target, name = against }: MeasuresOptions<Name>): Figure {
    return {
      what,
      ours: asText(this.median(ours)),
      against: `${name}: ${asText(this.median(against))}`,
      ratio: this.time(ours, against),
      ...(target && { target }),
    };
  }
}

export interface MeasuresOptions<Name> extends Pick<RatesOptions<Name>, 'ours' | 'against' | 'name' | 'target'> {
  /** With its unit. */
  readonly asText: (measured: number) => string;
}

export interface RatesOptions<Name> {
  readonly ours: Name;
  readonly against: Name;
  /** Name of `against` in the table. */
  readonly name?: string;
  readonly items: number;
  readonly unit: string;
  readonly target?: Target;
}

/**
 * Runs each contender once a round, in turn, and every other round in the opposite order. A round before the first only
 * warms up.
 *
 * @param rounds 5 at least.
 */
export async function interleaved<Name extends string>(
  contenders: Readonly<Record<Name, () => Promise<unknown>>>,
  rounds = 5,
): Promise<Rounds<Name>> {
  return new Rounds(await inTurn(mapped(contenders, secondsOf), { rounds, warmUps: 1 }));
}

/** The same for contenders that measure themselves: returns their values, round by round. */
export async function inTurn<Name extends string, Value>(
  contenders: Readonly<Record<Name, () => Promise<Value>>>,
  { rounds = 5, warmUps = 0 }: { rounds?: number; warmUps?: number } = {},
): Promise<Record<Name, Value[]>> {
  const values = mapped(contenders, () => [] as Value[]);
  const names = Object.keys(contenders) as Name[];
  for (let round = 1 - warmUps; round <= rounds; round++) {
    for (const name of round % 2 ? names : [...names].reverse()) {
      const value = await contenders[name]();
      if (round > 0) values[name].push(value);
    }
  }
  return values;
}

/** Maps the values of a record. */
export function mapped<Name extends string, Value, Result>(
  record: Readonly<Record<Name, Value>>,
  change: (value: Value) => Result,
): Record<Name, Result> {
  const entries = Object.entries<Value>(record).map(([name, value]) => [name, change(value)]);
  return Object.fromEntries(entries) as Record<Name, Result>;
}

function secondsOf(contender: () => Promise<unknown>): () => Promise<number> {
  return async () => {
    const began = performance.now();
    await contender();
    return (performance.now() - began) / 1_000;
  };
}

export function asRate(perSecond: number, unit: string): string {
  if (perSecond >= 1e6) return `${(perSecond / 1e6).toFixed(1)} M ${unit}/s`;
  if (perSecond >= 1e3) return `${(perSecond / 1e3).toFixed(perSecond >= 1e5 ? 0 : 1)} k ${unit}/s`;
  return `${perSecond.toFixed(1)} ${unit}/s`;
}
