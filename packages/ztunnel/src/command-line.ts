import type { EnvSource } from '@aquifer/runtime';
import { versionText } from './config/version.ts';

const USAGE = `usage: ztunnel [proxy | version | help]

  proxy     carry the traffic of pods (the default); settings come from the environment: docs/config.md
  version   print what this is
`;

/** Prints what is asked for and ends the process, unless it is asked to be a proxy. */
export function exitUnlessProxy(args: readonly string[], env: EnvSource): void {
  const [command = 'proxy'] = args;
  if (command === 'proxy') return;
  if (command === 'version') {
    console.log(versionText(env));
    process.exit(0);
  }
  console.log(USAGE);
  process.exit(command === 'help' ? 0 : 1);
}
