import { runProgram } from '@aquifer/runtime';
import { startZtunnel } from './app.ts';
import { ZTUNNEL_CONFIG } from './config.ts';

await runProgram({
  name: 'ztunnel',
  keys: ZTUNNEL_CONFIG,
  env: process.env,
  start: async (config, log) => {
    const ztunnel = await startZtunnel(config, log);
    log.info('started', { node: config.nodeName, threads: config.threads });
    return ztunnel;
  },
});
