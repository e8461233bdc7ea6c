import { keepTrafficYoung, runProgram } from '@aquifer/runtime';
import { startWaypoint } from './app.ts';
import { WAYPOINT_CONFIG } from './config.ts';

keepTrafficYoung();
await runProgram({
  name: 'waypoint',
  keys: WAYPOINT_CONFIG,
  env: process.env,
  start: async (config, log) => {
    const waypoint = await startWaypoint(config, log, process.env);
    log.info('started', { threads: config.threads });
    return waypoint;
  },
});
