import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const SOURCES = [
  'test/{docs,enumerators}/**/*.test.ts',
  'test/transactions/*.host.test.ts',
  'test/transactions/hosts.test.ts',
];
const PROCESSES = [
  'test/{chaos,sample-app}/**/*.test.ts',
  'test/worker/{careful,crashes,freezes,in-flight.kills,kills,lost-locks,outages}.test.ts',
];

/** Suites that run `maxWorkers` at a time, when those of the groups before them have ended. */
const group = (
  name: string,
  order: number,
  options: { include: string[]; exclude?: string[]; maxWorkers: number },
) => ({
  resolve: { alias: { 'nestjs-iteration': fileURLToPath(new URL('lib/index.ts', import.meta.url)) } },
  test: { name, sequence: { groupOrder: order }, testTimeout: 30_000, hookTimeout: 60_000, ...options },
});

export default defineConfig({
  test: {
    globalSetup: ['test/support/servers.ts', 'test/support/compile-processes.ts', 'test/support/property-report.ts'],
    projects: [
      // These are bound by the processor, and nothing in them goes by the clock.
      group('sources', 0, { include: SOURCES, maxWorkers: 2 }),
      // These wait most of the time: for processes to start, for locks to end.
      group('processes', 1, { include: PROCESSES, maxWorkers: 2 }),
      // These hold times, so they have the machine for themselves.
      group('jobs', 2, { include: ['test/**/*.test.ts'], exclude: [...SOURCES, ...PROCESSES], maxWorkers: 1 }),
    ],
  },
});
