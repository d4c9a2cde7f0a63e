import { readFileSync } from 'node:fs';

/** The version of a package that the suites run on: that of package.json, or another one that INSTEAD names. */
export function versionOf(name: string): string {
  const [, installed = name] = new RegExp(`(?:^| )${name}=(\\S+)`).exec(process.env.INSTEAD ?? '') ?? [];
  const manifest = readFileSync(new URL(`../../node_modules/${installed}/package.json`, import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}
