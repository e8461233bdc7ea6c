import type { KubernetesObject } from '@kubernetes/client-node';
import { parse, stringify } from 'yaml';
import { isNotFound } from '../api-errors.ts';
import type { Cluster } from '../cluster.ts';
import type { ChosenValues, Tree } from './chosen-values.ts';
import { MESH_NAMESPACE, objectKey } from './render.ts';

const OURS = 'app.kubernetes.io/part-of=aquifer';
const VALUES = 'aquifer-values';

/** Kinds of which an installation consists, without custom resources. */
const KINDS = [
  { apiVersion: 'apps/v1', kind: 'DaemonSet', isNamespaced: true },
  { apiVersion: 'apps/v1', kind: 'Deployment', isNamespaced: true },
  { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', isNamespaced: true },
  {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingWebhookConfiguration',
    isNamespaced: false,
  },
  {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'MutatingWebhookConfiguration',
    isNamespaced: false,
  },
  { apiVersion: 'v1', kind: 'Service', isNamespaced: true },
  { apiVersion: 'v1', kind: 'ConfigMap', isNamespaced: true },
  { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'RoleBinding', isNamespaced: true },
  { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', isNamespaced: true },
  { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRoleBinding', isNamespaced: false },
  { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', isNamespaced: false },
  { apiVersion: 'v1', kind: 'ServiceAccount', isNamespaced: true },
] as const;

/** Every object of the installation but its namespace and custom resources, those that serve before what they need. */
export async function installedObjects(cluster: Cluster): Promise<KubernetesObject[]> {
  const found: KubernetesObject[] = [];
  for (const { apiVersion, kind, isNamespaced } of KINDS) {
    const list = await listLabelled(
      cluster,
      { apiVersion, kind },
      OURS,
      isNamespaced ? MESH_NAMESPACE : undefined,
    );
    found.push(...list);
  }
  return found;
}

/** Objects of one kind with a label, in one namespace or all, with the kind that lists leave out. */
export async function listLabelled(
  { objects }: Cluster,
  { apiVersion, kind }: { readonly apiVersion: string; readonly kind: string },
  labelSelector: string,
  namespace?: string,
): Promise<KubernetesObject[]> {
  const none = undefined;
  const list = await objects.list(
    apiVersion,
    kind,
    namespace,
    none,
    none,
    none,
    none,
    labelSelector,
  );
  return list.items.map((item) => ({ ...item, apiVersion, kind }));
}

/** What an earlier version installed and this one does not have. */
export async function outdatedObjects(
  cluster: Cluster,
  current: readonly KubernetesObject[],
): Promise<KubernetesObject[]> {
  const kept = new Set(current.map((object) => objectKey(object)));
  const installed = await installedObjects(cluster);
  return installed.filter((object) => !kept.has(objectKey(object)));
}

/** The values that were chosen when it was installed. */
export async function installedValues(cluster: Cluster): Promise<Tree> {
  try {
    const { data } = await cluster.core.readNamespacedConfigMap({
      name: VALUES,
      namespace: MESH_NAMESPACE,
    });
    return (parse(data?.['values.yaml'] ?? '') ?? {}) as Tree;
  } catch (error) {
    if (isNotFound(error)) return {};
    throw error;
  }
}

/** What keeps the chosen values in the cluster, so that the next upgrade starts with them. */
export function valuesRecord(values: ChosenValues): KubernetesObject {
  const labels = { 'app.kubernetes.io/part-of': 'aquifer' };
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: VALUES, namespace: MESH_NAMESPACE, labels },
    data: { 'values.yaml': stringify(values.toTree()) },
  } as KubernetesObject;
}
