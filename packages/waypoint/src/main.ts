import {
  createLogger,
  describeProblems,
  EXIT_BAD_CONFIG,
  keepCompiledCode,
  terminationSignal,
} from '@aquifer/runtime';
import { startWaypoint } from './app.ts';
import { parseConfig } from './config.ts';

const config = parseConfig(process.env);
if (!config.ok) {
  console.error(`waypoint cannot start:\n${describeProblems(config.error)}`);
  process.exit(EXIT_BAD_CONFIG);
}
const { logFormat: format, logLevels: levels } = config.value;
const log = createLogger('waypoint', { format, levels });
const waypoint = await startWaypoint(config.value, log);
log.info('started', { threads: config.value.threads });
keepCompiledCode();

const signal = await Promise.race([terminationSignal(), waypoint.failed]);
log.info('draining', { signal });
await waypoint.drain();
process.exit(0);
