import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  resolve: { alias: { 'nestjs-iteration': fileURLToPath(new URL('lib/index.ts', import.meta.url)) } },
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/servers.ts', 'test/support/compile-processes.ts', 'test/support/property-report.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
