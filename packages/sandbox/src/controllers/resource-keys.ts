import type { ResourceKey } from '@aquifer/kube-api';

/** The collections that the controllers read and write. */
export const PODS: ResourceKey = { group: '', version: 'v1', plural: 'pods' };
export const NODES: ResourceKey = { group: '', version: 'v1', plural: 'nodes' };
export const SERVICES: ResourceKey = { group: '', version: 'v1', plural: 'services' };
export const ENDPOINTS: ResourceKey = { group: '', version: 'v1', plural: 'endpoints' };
export const CLAIMS: ResourceKey = {
  group: '',
  version: 'v1',
  plural: 'persistentvolumeclaims',
};
export const VOLUMES: ResourceKey = { group: '', version: 'v1', plural: 'persistentvolumes' };
export const STORAGE_CLASSES: ResourceKey = {
  group: 'storage.k8s.io',
  version: 'v1',
  plural: 'storageclasses',
};
export const STATEFUL_SETS: ResourceKey = { group: 'apps', version: 'v1', plural: 'statefulsets' };
export const REVISIONS: ResourceKey = {
  group: 'apps',
  version: 'v1',
  plural: 'controllerrevisions',
};
export const DISRUPTION_BUDGETS: ResourceKey = {
  group: 'policy',
  version: 'v1',
  plural: 'poddisruptionbudgets',
};
export const DEPLOYMENTS: ResourceKey = { group: 'apps', version: 'v1', plural: 'deployments' };
export const REPLICA_SETS: ResourceKey = { group: 'apps', version: 'v1', plural: 'replicasets' };
export const DAEMON_SETS: ResourceKey = { group: 'apps', version: 'v1', plural: 'daemonsets' };
export const JOBS: ResourceKey = { group: 'batch', version: 'v1', plural: 'jobs' };
export const CRON_JOBS: ResourceKey = { group: 'batch', version: 'v1', plural: 'cronjobs' };
export const ENDPOINT_SLICES: ResourceKey = {
  group: 'discovery.k8s.io',
  version: 'v1',
  plural: 'endpointslices',
};
