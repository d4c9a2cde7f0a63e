/** Runs each contender once a round, in turn, and gives the median of its seconds. The first round only warms up. */
export async function interleaved<Name extends string>(
  contenders: Readonly<Record<Name, () => Promise<unknown>>>,
  rounds = 5,
): Promise<Record<Name, number>> {
  const names = Object.keys(contenders) as Name[];
  const seconds = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>;
  for (let round = 0; round <= rounds; round++) {
    for (const name of names) {
      const began = performance.now();
      await contenders[name]();
      if (round > 0) seconds[name].push((performance.now() - began) / 1_000);
    }
  }
  return Object.fromEntries(names.map((name) => [name, median(seconds[name])])) as Record<Name, number>;
}

export function median(values: readonly number[]): number {
  return [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)] as number;
}
