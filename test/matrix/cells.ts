/** What an application may be made of, the oldest first. */
const CHOICES = {
  node: ['20.19.0', '22.23.5', '24.22.3'],
  nest: ['11.0.1', '11.2.10', '12.5.1'],
  host: ['context', 'express', 'fastify'],
  bullmq: ['5.72.0', '5.81.5', '6.4.0', '6.7.0'],
  redis: ['ioredis 5', 'node-redis 5', 'valkey-glide 2', 'ioredis 6'],
  orm: [
    'typeorm 0.3.20',
    'typeorm 0.3.29',
    'typeorm 1.1.1',
    'prisma 6.16.0 prisma-client-js',
    'prisma 6.19.3 prisma-client',
    'prisma 7.10.0 prisma-client-js',
    'prisma 7.10.0 prisma-client',
  ],
  csv: ['5.6.0', '6.2.1', '7.0.3'],
  format: ['commonjs', 'node16 CommonJS', 'nodenext CommonJS', 'nodenext ESM', 'bundler ESM'],
  build: ['tsc', 'swc', 'webpack'],
  tests: ['jest', 'vitest'],
  strict: ['not strict', 'strict'],
};

type Factor = keyof typeof CHOICES;
export type Cell = { readonly [F in Factor]: string };

const FACTORS = Object.keys(CHOICES) as Factor[];
const OLDEST = Object.fromEntries(FACTORS.map((factor) => [factor, CHOICES[factor][0]])) as Cell;
const NEWEST = Object.fromEntries(FACTORS.map((factor) => [factor, CHOICES[factor].at(-1)])) as Cell;

/** What the packages themselves rule out. */
const RULES: readonly ((cell: Partial<Cell>) => boolean)[] = [
  // BullMQ 5 brings its own ioredis 5.
  ({ bullmq, redis }) => !bullmq?.startsWith('5') || !redis || redis === 'ioredis 5',
  // TypeORM wants ioredis 5, where there is one, and its oldest version wants node-redis 3 or 4.
  ({ orm, redis }) => !orm?.startsWith('typeorm') || redis !== 'ioredis 6',
  ({ orm, redis }) => orm !== 'typeorm 0.3.20' || redis !== 'node-redis 5',
  // Nest 12 is ESM only: TypeScript's node16 does not let CommonJS require it.
  ({ nest, format }) => !nest?.startsWith('12') || format !== 'node16 CommonJS',
  // Jest is set up as `nest new` does it, for CommonJS.
  ({ format, tests }) => !format?.endsWith('ESM') || tests !== 'jest',
  // Jest's CommonJS loads Nest 12 on Node 24.9 and later only.
  ({ nest, node, tests }) => !nest?.startsWith('12') || tests !== 'jest' || !node || node.startsWith('24'),
];

export interface Matrix {
  /** The oldest of all, the newest of all, and the others. */
  readonly cells: readonly Cell[];
  /** Pairs of choices that the packages allow. Each is in a cell. */
  readonly pairs: number;
}

/** Few cells that have every possible pair of choices. */
export function matrix(): Matrix {
  const cells = [OLDEST, NEWEST];
  const isOpen = (pair: Partial<Cell>) => !cells.some((cell) => has(cell, pair));
  const possible = allPairs().filter((pair) => complete(pair, []) !== undefined);
  for (const pair of possible) {
    if (isOpen(pair)) cells.push(complete(pair, possible.filter(isOpen)) as Cell);
  }
  return { cells, pairs: possible.length };
}

/** Adds the choices that are missing in a cell, each so that the cell has as many of the `wanted` pairs as it can. */
function complete(cell: Partial<Cell>, wanted: readonly Partial<Cell>[]): Cell | undefined {
  if (!RULES.every((rule) => rule(cell))) return undefined;
  const factor = FACTORS.find((name) => cell[name] === undefined);
  if (!factor) return cell as Cell;
  const gain = (choice: Partial<Cell>) => wanted.filter((pair) => has(choice, pair)).length;
  const choices = CHOICES[factor].map((choice) => ({ ...cell, [factor]: choice }));
  const ranked = choices.map((choice) => ({ choice, gain: gain(choice) })).sort((one, other) => other.gain - one.gain);
  for (const { choice } of ranked) {
    const whole = complete(choice, wanted);
    if (whole) return whole;
  }
  return undefined;
}

function allPairs(): Partial<Cell>[] {
  const choices = FACTORS.flatMap((factor) => CHOICES[factor].map((choice) => ({ factor, choice })));
  return choices.flatMap((one, index) =>
    choices
      .slice(index + 1)
      .filter(({ factor }) => factor !== one.factor)
      .map((other) => ({ [one.factor]: one.choice, [other.factor]: other.choice })),
  );
}

function has(cell: Partial<Cell>, pair: Partial<Cell>): boolean {
  return Object.entries(pair).every(([factor, choice]) => cell[factor as Factor] === choice);
}

export function describeCell(cell: Cell): string {
  const { node, nest, host, bullmq, redis, orm, csv, format, build, tests, strict } = cell;
  return `node ${node} · nest ${nest} ${host} · bullmq ${bullmq} on ${redis} · ${orm} · csv-parse ${csv} · ${format}, ${build}, ${strict} · ${tests}`;
}
