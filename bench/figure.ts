/** One line of the table: what was measured, what it is compared with, and the target. */
export interface Figure {
  readonly what: string;
  /** With its unit. */
  readonly ours: string;
  /** The alternative, by name, with its unit. */
  readonly against?: string;
  /** Ours divided by the alternative's, over all rounds. */
  readonly ratio?: Spread;
  readonly target?: Target;
}

/** The bound of the ratio; without a ratio, the bound of ours, in its unit. */
export type Target = { readonly atLeast: number } | { readonly atMost: number };

export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

/** Prints a figure, and sends it to the process that runs the benches. */
export function report(figure: Figure): void {
  console.log(asLine(figure));
  process.send?.(figure);
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((one, other) => one - other);
  return {
    median: sorted[Math.floor(sorted.length / 2)] as number,
    least: sorted[0] as number,
    most: sorted.at(-1) as number,
  };
}

/** Whether the target is met; `undefined` without a target. */
export function isMet({ ours, ratio, target }: Figure): boolean | undefined {
  if (!target) return undefined;
  const value = ratio?.median ?? Number.parseFloat(ours);
  return 'atLeast' in target ? value >= target.atLeast : value <= target.atMost;
}

export function asTarget(target: Target | undefined): string {
  if (!target) return '';
  return 'atLeast' in target ? `>= ${target.atLeast}` : `<= ${target.atMost}`;
}

export function asRatio(ratio: number): string {
  return ratio >= 10 ? ratio.toFixed(0) : ratio.toFixed(2);
}

export function asMegabytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(0)} MB`;
}

function asLine(figure: Figure): string {
  const { what, ours, against, ratio, target } = figure;
  const met = isMet(figure);
  return [
    `${what}: ${ours}`,
    against && `against ${against}`,
    ratio && `ratio ${asRatio(ratio.median)} (${asRatio(ratio.least)} to ${asRatio(ratio.most)})`,
    target && `target ${asTarget(target)}${met ? '' : ': MISSED'}`,
  ]
    .filter(Boolean)
    .join(', ');
}
