import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import pg from 'pg';
import { asRatio, asTarget, type Figure, isMet } from './figure.js';

const ROOT = new URL('../../../', import.meta.url); // from bench/dist/bench
const PACKAGES = ['@nestjs/core', 'bullmq', 'ioredis', 'pg', 'typeorm', '@prisma/client', 'csv-parse'];

/** One table of all figures, in Markdown. */
export function asTable(figures: readonly Figure[]): string {
  const header = ['what', 'ours', 'against', 'ratio', 'target', 'spread'];
  const rows = figures.map((figure) => {
    const { what, ours, against = '', ratio, target } = figure;
    const met = isMet(figure);
    return [
      what,
      ours,
      against,
      ratio ? asRatio(ratio.median) : '',
      `${asTarget(target)}${met === false ? ' **missed**' : ''}`,
      ratio ? `${asRatio(ratio.least)} to ${asRatio(ratio.most)}` : '',
    ];
  });
  return [header, header.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** Writes the table, with the machine and the versions that it was made on. */
export async function writeResults(figures: readonly Figure[]): Promise<void> {
  const versions = [`Node ${process.versions.node}`, ...versionsOf(PACKAGES), ...(await serverVersions())];
  const text = [
    '# What it costs',
    '',
    'Made by `npm run bench`; each line is a ratio against its named alternative in the same run, interleaved with it. The ratio is the',
    'median of the rounds, the spread their least and most. Absolute figures are those of this machine, and vary with its mood.',
    '',
    `${new Date().toISOString().slice(0, 10)} · ${cpus().length} × ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB · ${versions.join(' · ')}`,
    '',
    asTable(figures),
    '',
  ].join('\n');
  await writeFile(new URL('bench/RESULTS.md', ROOT), text);
}

function versionsOf(names: readonly string[]): string[] {
  const lock = readFileSync(new URL('package-lock.json', ROOT), 'utf8');
  const { packages } = JSON.parse(lock) as { packages: Record<string, { version: string }> };
  return names.map((name) => `${name} ${packages[`node_modules/${name}`]?.version}`);
}

async function serverVersions(): Promise<string[]> {
  const client = new pg.Client({ connectionString: process.env.DATABASE_URL });
  await client.connect();
  try {
    const { rows } = await client.query<{ server_version: string }>('SHOW server_version');
    const redis = /v=(\S+)/.exec(execFileSync('redis-server', ['--version'], { encoding: 'utf8' }))?.[1] ?? '';
    return [`PostgreSQL ${rows[0]?.server_version.split(' ')[0]}`, `Redis ${redis}`];
  } finally {
    await client.end();
  }
}
