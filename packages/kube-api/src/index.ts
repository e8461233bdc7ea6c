// To run it.

// For documents about it.
export type { WithoutEffect } from './admission/without-effect.ts';
export { WITHOUT_EFFECT } from './admission/without-effect.ts';
export type { ApiServer, ApiServerOptions } from './api-server.ts';
export { startApiServer } from './api-server.ts';
// To use it from the same process: what controllers and nodes see of it.
export { ApiStatusError } from './api-status-error.ts';
// What the kubelets of a cluster implement for it.
export type {
  ApiObject,
  ClusterClient,
  ContainerRef,
  ExecRequest,
  ExecSession,
  ListFilter,
  LogOptions,
  PodAccess,
  ResourceKey,
  WatchEvent,
} from './cluster-client.ts';
export { schemaOfKind } from './kinds/kind-schema.ts';
