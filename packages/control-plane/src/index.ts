export type { ControlPlane, ControlPlaneDeps } from './app.ts';
export { startControlPlane } from './app.ts';
export type { ControlPlaneConfig } from './config.ts';
export { CONTROL_PLANE_KEYS } from './config.ts';
export { KubernetesApi } from './ingest/kubernetes-api.ts';
