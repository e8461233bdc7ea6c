import {
  createLogger,
  describeProblems,
  EXIT_BAD_CONFIG,
  keepCompiledCode,
  terminationSignal,
} from '@aquifer/runtime';
import { startZtunnel } from './app.ts';
import { parseConfig } from './config.ts';

const config = parseConfig(process.env);
if (!config.ok) {
  console.error(`ztunnel cannot start:\n${describeProblems(config.error)}`);
  process.exit(EXIT_BAD_CONFIG);
}
const { logFormat: format, logLevels: levels } = config.value;
const log = createLogger('ztunnel', { format, levels });
const ztunnel = await startZtunnel(config.value, log);
log.info('started', { node: config.value.nodeName, threads: config.value.threads });
keepCompiledCode();

const signal = await Promise.race([terminationSignal(), ztunnel.failed]);
log.info('draining', { signal });
await ztunnel.drain();
process.exit(0);
