import { exitOnProblems, keepTrafficYoung, runProgram } from '@aquifer/runtime';
import { startZtunnel } from './app.ts';
import { trimMalloc } from './capture/malloc.ts';
import { exitUnlessProxy } from './command-line.ts';
import { contradictions } from './config/derived.ts';
import { ZTUNNEL_CONFIG } from './config/keys.ts';
import { withProxyConfig } from './config/proxy-config.ts';
import { unreadVariables } from './config/unread-variables.ts';

exitUnlessProxy(process.argv.slice(2), process.env);
const env = await withProxyConfig(process.env);
if (!env.ok) exitOnProblems('ztunnel', env.error);

keepTrafficYoung();
await runProgram({
  name: 'ztunnel',
  keys: ZTUNNEL_CONFIG,
  env: env.value,
  contradictions,
  onGivenBack: trimMalloc,
  start: async (config, log) => {
    for (const variable of unreadVariables(process.env)) log.warn(`not read: ${variable}`);
    const ztunnel = await startZtunnel(config, log);
    log.info('started', { node: config.nodeName, mode: config.proxyMode });
    return ztunnel;
  },
});
