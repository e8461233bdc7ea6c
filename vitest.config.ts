import { defineConfig } from 'vitest/config';

/** Tests beside the code that start programs, sockets of TLS or HTTP, or namespaces, or that derive for a minute. */
const BESIDE_THE_CODE = [
  'packages/{cli,kube-api,sandbox,hbone,control-plane-client}/src/**/*.test.ts',
  'packages/{compare,runtime}/src/**/{load-generator,give-back,log-output,run-program}.test.ts',
  'packages/waypoint/src/{request,listeners,filters,upstream,clusters}/**/*.test.ts',
  'packages/waypoint/src/{waypoint,capabilities/check}.test.ts',
  'packages/ztunnel/src/{listeners,capture,connections,dns,nri,node,zds,data-plane}/**/*.test.ts',
  'packages/control-plane/src/**/{derivation,odd-objects,write-queue,analyze,sign,rotation}.test.ts',
  'packages/{ztunnel,waypoint}/src/**/{revocation-file,exporters}.test.ts',
  'packages/http/src/{sockets,http1,http2}/**/*.test.ts',
];

const BOTH = {
  // Files of one worker share modules: loading them anew for each file was most of the time.
  isolate: false,
  // Generous: the machine may be busy.
  testTimeout: 30_000,
  hookTimeout: 60_000,
};

/**
 * `unit` needs nothing but this process, `integration` programs and the network of a machine, `scenarios` run whole
 * clusters in network namespaces.
 */
export default defineConfig({
  test: {
    experimental: { viteModuleRunner: false },
    // What comes true at all may take its time on a busy machine.
    expect: { poll: { timeout: 10_000 } },
    projects: [
      {
        extends: true,
        test: {
          ...BOTH,
          name: 'unit',
          include: ['packages/*/src/**/*.test.ts'],
          exclude: BESIDE_THE_CODE,
        },
      },
      {
        extends: true,
        test: {
          ...BOTH,
          name: 'integration',
          globalSetup: ['test/fixtures/bundles.ts'],
          testTimeout: 60_000,
          hookTimeout: 120_000,
          include: ['test/{repository,conformance}/**/*.test.ts', ...BESIDE_THE_CODE],
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
          // Names, addresses and the lock of a sandbox are fixed; `npm test` gives each file a machine of its own.
          fileParallelism: false,
          maxWorkers: 1,
        },
      },
    ],
  },
});
