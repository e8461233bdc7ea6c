import { setTimeout as delay } from 'node:timers/promises';
import { type KubernetesObject, PatchStrategy, type V1Pod } from '@kubernetes/client-node';
import type { Cluster } from '../cluster.ts';
import { CliError } from '../errors.ts';
import { deleteIfThere } from './apply.ts';
import { listLabelled } from './installed.ts';

const MODE = 'istio.io/dataplane-mode';
const ENROLLED = `${MODE}=ambient`;
const REDIRECTION = 'ambient.istio.io/redirection';
const MANAGED = 'gateway.istio.io/managed';
const GENERATED = [
  { apiVersion: 'autoscaling/v2', kind: 'HorizontalPodAutoscaler' },
  { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget' },
  { apiVersion: 'apps/v1', kind: 'Deployment' },
  { apiVersion: 'v1', kind: 'Service' },
  { apiVersion: 'v1', kind: 'ServiceAccount' },
];
const ROOTS = ['istio-ca-root-cert', 'istio-ca-crl'];
const POLL_MS = 300;
const TIMEOUT_MS = 120_000;
const PODS_SHOWN = 5;
/** Connections that go through a proxy may finish first, 5 s long; then it takes its rules out of the pod's network. */
const RULES_STAY_MS = 7_000;

/** What has a label that enrols it. */
export interface Enrolled {
  readonly namespaces: readonly string[];
  readonly pods: readonly { readonly namespace: string; readonly name: string }[];
}

export async function listEnrolled({ core }: Cluster): Promise<Enrolled> {
  const namespaces = await core.listNamespace({ labelSelector: ENROLLED });
  const pods = await core.listPodForAllNamespaces({ labelSelector: ENROLLED });
  return {
    namespaces: namespaces.items.map(({ metadata }) => metadata!.name!),
    pods: pods.items.map(({ metadata }) => ({
      namespace: metadata!.namespace!,
      name: metadata!.name!,
    })),
  };
}

/**
 * Takes the labels off and waits until the node proxies have released every pod: pods that are captured when their proxy
 * goes for good are cut off. Throws if some are not released.
 */
export async function releasePods(cluster: Cluster, { namespaces, pods }: Enrolled): Promise<void> {
  for (const name of namespaces)
    await unlabel(cluster, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  for (const metadata of pods)
    await unlabel(cluster, { apiVersion: 'v1', kind: 'Pod', metadata: { ...metadata } });
  const deadlineMs = Date.now() + TIMEOUT_MS;
  let left: V1Pod[] = [];
  while (Date.now() < deadlineMs) {
    const { items } = await cluster.core.listPodForAllNamespaces({});
    left = items.filter(isCaptured);
    if (left.length === 0) return delay(namespaces.length + pods.length > 0 ? RULES_STAY_MS : 0);
    await delay(POLL_MS);
  }
  const names = left
    .slice(0, PODS_SHOWN)
    .map((pod) => `${pod.metadata?.namespace}/${pod.metadata?.name}`);
  throw new CliError(
    `${left.length} pods are still captured: ${names.join(', ')}${left.length > PODS_SHOWN ? ' …' : ''}`,
    'without a proxy they would be cut off; see that istiod and ztunnel are ready, or delete those pods, and try again',
  );
}

async function unlabel({ objects }: Cluster, object: KubernetesObject): Promise<void> {
  const { name, namespace } = object.metadata ?? {};
  const labels = { [MODE]: null } as unknown as Record<string, string>;
  const patch = { ...object, metadata: { name, namespace, labels } } as KubernetesObject;
  const none = undefined;
  await objects.patch(patch, none, none, none, none, PatchStrategy.MergePatch);
}

function isCaptured({ metadata, status }: V1Pod): boolean {
  if (status?.phase === 'Succeeded' || status?.phase === 'Failed') return false;
  return metadata?.annotations?.[REDIRECTION] === 'enabled';
}

/** Deletes what the control plane made for Gateways, and its roots in every namespace; the Gateways stay. */
export async function deleteGenerated(cluster: Cluster): Promise<void> {
  for (const kind of GENERATED) {
    for (const object of await listLabelled(cluster, kind, MANAGED))
      await deleteIfThere(cluster, object);
  }
  const maps = { apiVersion: 'v1', kind: 'ConfigMap' };
  const configuration = await listLabelled(cluster, maps, 'istio.io/config=true');
  for (const map of configuration.filter(({ metadata }) => ROOTS.includes(metadata!.name!)))
    await deleteIfThere(cluster, map);
}
