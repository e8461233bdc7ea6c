import { keepTrafficYoung, runProgram } from '@aquifer/runtime';
import { startZtunnel } from './app.ts';
import { trimMalloc } from './capture/malloc.ts';
import { ZTUNNEL_CONFIG } from './config.ts';

keepTrafficYoung();
await runProgram({
  name: 'ztunnel',
  keys: ZTUNNEL_CONFIG,
  env: process.env,
  onGivenBack: trimMalloc,
  start: async (config, log) => {
    const ztunnel = await startZtunnel(config, log);
    log.info('started', { node: config.nodeName, threads: config.threads });
    return ztunnel;
  },
});
