import { runProgram } from '@aquifer/runtime';
import { startControlPlane } from './app.ts';
import { CONTROL_PLANE_KEYS } from './config.ts';
import { KubernetesApi } from './ingest/kubernetes-api.ts';

await runProgram({
  name: 'control-plane',
  keys: CONTROL_PLANE_KEYS,
  env: process.env,
  start: async (config, log) => {
    const api = KubernetesApi.fromEnvironment(process.env);
    const controlPlane = await startControlPlane({ config, api, log });
    log.info('started', controlPlane.ports);
    return { drain: () => controlPlane.stop(), failed: null };
  },
});
