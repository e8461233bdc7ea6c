import {
  createLogger,
  describeProblems,
  EXIT_BAD_CONFIG,
  keepCompiledCode,
  parseEnv,
} from '@aquifer/runtime';
import { startControlPlane } from './app.ts';
import { CONTROL_PLANE_KEYS } from './config.ts';
import { KubernetesApi } from './ingest/kubernetes-api.ts';

const parsed = parseEnv(CONTROL_PLANE_KEYS, process.env);
if (!parsed.ok) {
  process.stderr.write(`${describeProblems(parsed.error)}\n`);
  process.exit(EXIT_BAD_CONFIG);
}
const config = parsed.value;
const log = createLogger('control-plane', { format: config.logFormat, levels: config.logLevel });
const abort = new AbortController();
const stopping = new Promise<void>((resolve) => {
  const stop = (): void => {
    abort.abort();
    resolve();
  };
  process.on('SIGTERM', stop).on('SIGINT', stop);
});
try {
  const api = KubernetesApi.fromEnvironment(process.env);
  const running = await startControlPlane({ config, api, log, signal: abort.signal });
  log.info('control plane is listening', running.ports);
  keepCompiledCode();
  await stopping;
  log.info('control plane is stopping');
  await running.stop();
  process.exit(0);
} catch (error) {
  if (!abort.signal.aborted) log.error('control plane failed', { error: (error as Error).message });
  process.exit(abort.signal.aborted ? 0 : 1);
}
