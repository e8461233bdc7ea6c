import { execFileSync } from 'node:child_process';
import { join, resolve } from 'node:path';

const REPOSITORY = resolve(import.meta.dirname, '../..');
/** What the node proxies under test load: they run from the sources, without a control plane. */
const MODULES = ['ztunnel/src/app.ts', 'ztunnel/src/data-plane/pod-proxy.ts'];

/**
 * Compiles our code into a cache and returns the variable that makes a process use it. Otherwise each thread holds the
 * TypeScript compiler in memory, which no installation has.
 */
export function compileAhead(): Readonly<Record<string, string>> {
  const directory = join(REPOSITORY, 'node_modules', '.cache', 'aquifer-compile');
  const env = { NODE_COMPILE_CACHE: directory };
  const imports = MODULES.map(
    (name) => `await import(${JSON.stringify(join(REPOSITORY, 'packages', name))});`,
  ).join('\n');
  execFileSync(process.execPath, ['--input-type=module', '--eval', imports], {
    env: { ...process.env, ...env },
  });
  return env;
}
