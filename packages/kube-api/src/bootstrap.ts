/** What a new cluster holds: its namespaces, the `kubernetes` service, the roles everybody needs, a StorageClass, the mesh's CRDs. */
import {
  customResourceDefinitionOf,
  gatewayApiResources,
  istioResources,
} from '@aquifer/model/resources';
import { ApiStatusError } from './api-status-error.ts';
import type { ApiObject, ClusterClient, ResourceKey } from './cluster-client.ts';
import { API_SERVICE_ADDRESS } from './defaults/service-defaults.ts';
import { DEFAULT_BINDINGS, DEFAULT_ROLES } from './security/default-roles.ts';
import { IS_DEFAULT_CLASS, PROVISIONER } from './vocabulary/storage-class.ts';

const RBAC = 'rbac.authorization.k8s.io';

const namespaces: ResourceKey = { group: '', version: 'v1', plural: 'namespaces' };
const services: ResourceKey = { group: '', version: 'v1', plural: 'services' };
const clusterRoles: ResourceKey = { group: RBAC, version: 'v1', plural: 'clusterroles' };
const bindings: ResourceKey = { group: RBAC, version: 'v1', plural: 'clusterrolebindings' };
const definitions: ResourceKey = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  plural: 'customresourcedefinitions',
};

async function ensure(client: ClusterClient, key: ResourceKey, object: ApiObject): Promise<void> {
  try {
    await client.create(key, object);
  } catch (cause) {
    if (!(cause instanceof ApiStatusError) || cause.reason !== 'AlreadyExists') throw cause;
  }
}

const roleLabels = { 'kubernetes.io/bootstrapping': 'rbac-defaults' };

async function ensureRoles(client: ClusterClient): Promise<void> {
  const apiVersion = `${RBAC}/v1`;
  for (const [name, rules] of Object.entries(DEFAULT_ROLES)) {
    const metadata = { name, labels: roleLabels };
    await ensure(client, clusterRoles, { apiVersion, kind: 'ClusterRole', metadata, rules });
  }
  for (const [name, groups] of Object.entries(DEFAULT_BINDINGS)) {
    await ensure(client, bindings, {
      apiVersion,
      kind: 'ClusterRoleBinding',
      metadata: { name, labels: roleLabels },
      roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name },
      subjects: groups.map((group) => ({ kind: 'Group', apiGroup: RBAC, name: group })),
    });
  }
}

const storageClasses = { group: 'storage.k8s.io', version: 'v1', plural: 'storageclasses' };
const priorityClasses = { group: 'scheduling.k8s.io', version: 'v1', plural: 'priorityclasses' };

/** Values and descriptions of the two classes that every cluster has. */
const systemPriorities: Readonly<Record<string, readonly [value: number, description: string]>> = {
  'system-cluster-critical': [
    2_000_000_000,
    'Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.',
  ],
  'system-node-critical': [
    2_000_001_000,
    'Used for system critical pods that must not be moved from their current node.',
  ],
};

/** Creates what is missing, and renews the CRDs, which may have changed with the program. */
export async function bootstrapCluster(client: ClusterClient, port: number): Promise<void> {
  for (const name of ['default', 'kube-system', 'kube-public', 'kube-node-lease']) {
    await ensure(client, namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  }
  await ensure(client, services, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name: 'kubernetes',
      namespace: 'default',
      labels: { component: 'apiserver', provider: 'kubernetes' },
    },
    spec: {
      clusterIP: API_SERVICE_ADDRESS,
      ports: [{ name: 'https', port: 443, protocol: 'TCP', targetPort: port }],
    },
  });
  await ensureRoles(client);
  await ensure(client, storageClasses, {
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata: { name: 'standard', annotations: { [IS_DEFAULT_CLASS]: 'true' } },
    provisioner: PROVISIONER,
  });
  for (const [name, [value, description]] of Object.entries(systemPriorities)) {
    await ensure(client, priorityClasses, {
      apiVersion: 'scheduling.k8s.io/v1',
      kind: 'PriorityClass',
      metadata: { name },
      value,
      description,
      preemptionPolicy: 'PreemptLowerPriority',
    });
  }
  for (const resource of [...gatewayApiResources, ...istioResources]) {
    const definition = customResourceDefinitionOf(resource) as ApiObject;
    const existing = await client.get(definitions, definition.metadata.name);
    if (existing === null) await client.create(definitions, definition);
    else await client.update(definitions, { ...existing, spec: definition.spec });
  }
}
