import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { INSTEAD } from './test/support/instead.js';

const SOURCES = [
  'test/{docs,enumerators}/**/*.test.ts',
  'test/exactly-once/*.host.test.ts',
  'test/exactly-once/hosts.test.ts',
];

/** They hold times, or replace the timers of their process. */
const TIMED = [
  'test/run/{composed,sequential.loop}.test.ts',
  'test/run/concurrent.loop.properties.test.ts',
  'test/worker/shutdown.test.ts',
  'test/interruption/outage.test.ts',
  'test/control/iteration.service.test.ts',
  'test/parts/whole.limits.test.ts',
  'test/board/board.browser.test.ts',
];

/** A net against what hangs, and no verdict on the machine: however slow it is, what must happen happens before. */
const NET_MS = 900_000;

/**
 * Other installed versions of packages that the library works with, in every process of the tests:
 * `INSTEAD='bullmq=bullmq-5 typeorm=typeorm-0.3' npx vitest run test/run`.
 */
const alias = Object.entries(INSTEAD).map(([name, replacement]) => ({ find: new RegExp(`^${name}$`), replacement }));
if (alias.length > 0) {
  const hook = new URL('test/support/other-versions.mjs', import.meta.url).href;
  process.env.NODE_OPTIONS = `${process.env.NODE_OPTIONS ?? ''} --import=${hook}`;
}

/** Random cases of each property: `PROPERTY_CASES`, else as many as CI needs, or as a contributor has time for. */
process.env.PROPERTY_CASES ??= process.env.CI === 'true' ? '100' : '20';

/** Suites that run `maxWorkers` at a time, when those of the groups before them have ended. */
const group = (
  name: string,
  order: number,
  options: { include: string[]; exclude?: string[]; isolate?: boolean; maxWorkers: number },
) => ({
  resolve: {
    alias: [
      { find: /^nestjs-iteration$/, replacement: fileURLToPath(new URL('lib/index.ts', import.meta.url)) },
      {
        find: /^nestjs-iteration\/(\w+)$/,
        replacement: fileURLToPath(new URL('lib/$1/index.ts', import.meta.url)),
      },
      ...alias,
    ],
  },
  test: { name, sequence: { groupOrder: order }, testTimeout: NET_MS, hookTimeout: NET_MS, ...options },
});

export default defineConfig({
  test: {
    globalSetup: ['test/support/servers.ts', 'test/support/compile-processes.ts', 'test/support/property-report.ts'],
    projects: [
      // These are bound by the processor, and nothing in them goes by the clock.
      group('sources', 0, { include: SOURCES, isolate: false, maxWorkers: 2 }),
      // These wait half of the time: for Redis, for processes to start, for locks to end.
      group('jobs', 1, {
        include: ['test/**/*.test.ts'],
        exclude: [...SOURCES, ...TIMED],
        isolate: false,
        maxWorkers: 3,
      }),
      // These have the machine for themselves.
      group('timed', 2, { include: TIMED, maxWorkers: 1 }),
    ],
  },
});
