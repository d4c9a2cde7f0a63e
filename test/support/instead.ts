import { readFileSync } from 'node:fs';

/** The packages that stand in for others: INSTEAD='bullmq=bullmq-5 typeorm=typeorm-0.3' (vitest.config.ts). */
export const INSTEAD: Readonly<Record<string, string>> = Object.fromEntries(
  (process.env.INSTEAD ?? '')
    .split(' ')
    .filter(Boolean)
    .map((pair) => pair.split('=') as [string, string]),
);

/** The version of a package that the suites run on. */
export function versionOf(name: string): string {
  const path = new URL(`../../node_modules/${INSTEAD[name] ?? name}/package.json`, import.meta.url);
  return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
}
