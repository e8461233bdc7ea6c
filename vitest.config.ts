import { defineConfig } from 'vitest/config';

/** `unit` needs neither root nor a cluster; `scenarios` runs whole processes in network namespaces. */
export default defineConfig({
  test: {
    experimental: { viteModuleRunner: false },
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          // Files of one worker share modules: loading them anew for each file was most of the time.
          isolate: false,
          include: ['packages/*/src/**/*.test.ts', 'test/{repository,conformance}/**/*.test.ts'],
          // Generous: some start programs, and the machine may be busy.
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'scenarios',
          include: ['test/scenarios/**/*.test.ts'],
          globalSetup: ['test/fixtures/clean-machine.ts'],
          testTimeout: 120_000,
          hookTimeout: 180_000,
          fileParallelism: false,
          maxWorkers: 1,
        },
      },
    ],
  },
});
