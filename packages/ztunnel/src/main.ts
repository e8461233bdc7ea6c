import { exitOnProblems, runProgram } from '@aquifer/runtime';
import { startZtunnel } from './app.ts';
import { contradictions } from './config/derived.ts';
import { ZTUNNEL_CONFIG } from './config/keys.ts';
import { withProxyConfig } from './config/proxy-config.ts';
import { unreadVariables } from './config/unread-variables.ts';
import { versionText } from './config/version.ts';

const USAGE = `usage: ztunnel [proxy | version | help]

  proxy     carry the traffic of pods (the default); settings come from the environment: docs/config.md
  version   print what this is
`;

const [command = 'proxy'] = process.argv.slice(2);
if (command === 'version') {
  console.log(versionText(process.env));
  process.exit(0);
}
if (command !== 'proxy') {
  console.log(USAGE);
  process.exit(command === 'help' ? 0 : 1);
}

const env = await withProxyConfig(process.env);
if (!env.ok) exitOnProblems('ztunnel', env.error);

await runProgram({
  name: 'ztunnel',
  keys: ZTUNNEL_CONFIG,
  env: env.value,
  contradictions,
  start: async (config, log) => {
    for (const variable of unreadVariables(process.env)) log.warn(`not read: ${variable}`);
    const ztunnel = await startZtunnel(config, log);
    log.info('started', { node: config.nodeName, mode: config.proxyMode });
    return ztunnel;
  },
});
