import { setTimeout as delay } from 'node:timers/promises';
import type { AppsV1Api } from '@kubernetes/client-node';
import { isNotFound } from '../api-errors.ts';
import type { Cluster } from '../cluster.ts';
import { CliError } from '../errors.ts';
import { MESH_NAMESPACE } from './render.ts';

const READY_TIMEOUT_MS = 120_000;
const POLL_MS = 300;

type Part = 'control plane' | 'node proxies';

/** Waits until the control plane, or a node proxy on every node, runs in the version that was applied and is ready. */
export async function untilMeshReady(
  { apps, core }: Cluster,
  part: Part,
  timeoutMs: number = READY_TIMEOUT_MS,
): Promise<void> {
  const deadlineMs = Date.now() + timeoutMs;
  const isReady = part === 'control plane' ? controlPlaneReady : nodeProxiesReady;
  while (Date.now() < deadlineMs) {
    if (await isReady(apps)) return;
    await delay(POLL_MS);
  }
  const app = part === 'control plane' ? 'istiod' : 'ztunnel';
  const { items } = await core.listNamespacedPod({
    namespace: MESH_NAMESPACE,
    labelSelector: `app=${app}`,
  });
  const troubles = items.flatMap(({ metadata, status }) =>
    (status?.containerStatuses ?? []).flatMap(({ ready, state }) => {
      if (ready) return [];
      const { reason, message } = state?.waiting ?? state?.terminated ?? {};
      return [
        `\n  ${metadata?.name}: ${[reason ?? 'not ready', message].filter(Boolean).join(': ')}`,
      ];
    }),
  );
  throw new CliError(
    `the ${part} did not become ready in ${Math.round(timeoutMs / 1000)} s${troubles.join('')}`,
    `see: kubectl get pods -n ${MESH_NAMESPACE}; kubectl logs -n ${MESH_NAMESPACE} <pod>`,
  );
}

async function controlPlaneReady(apps: AppsV1Api): Promise<boolean> {
  const { metadata, spec, status } = await apps.readNamespacedDeployment({
    namespace: MESH_NAMESPACE,
    name: 'istiod',
  });
  if (metadata?.generation !== status?.observedGeneration) return false;
  const wanted = spec?.replicas ?? 1;
  const { readyReplicas = 0, updatedReplicas = 0 } = status ?? {};
  return readyReplicas >= wanted && updatedReplicas >= wanted;
}

async function nodeProxiesReady(apps: AppsV1Api): Promise<boolean> {
  const { metadata, status } = await apps.readNamespacedDaemonSet({
    namespace: MESH_NAMESPACE,
    name: 'ztunnel',
  });
  if (metadata?.generation !== status?.observedGeneration) return false;
  const wanted = status?.desiredNumberScheduled ?? 0;
  const { numberReady = 0, updatedNumberScheduled = 0 } = status ?? {};
  return wanted > 0 && numberReady >= wanted && updatedNumberScheduled >= wanted;
}

/** Waits until the pods of an app of the mesh are gone. */
export async function untilPodsGone(
  { core }: Cluster,
  app: 'istiod' | 'ztunnel',
  timeoutMs: number = READY_TIMEOUT_MS,
): Promise<void> {
  const deadlineMs = Date.now() + timeoutMs;
  while (Date.now() < deadlineMs) {
    try {
      const { items } = await core.listNamespacedPod({
        namespace: MESH_NAMESPACE,
        labelSelector: `app=${app}`,
      });
      if (items.length === 0) return;
    } catch (error) {
      if (!isNotFound(error)) throw error;
      return;
    }
    await delay(POLL_MS);
  }
  throw new CliError(
    `pods of ${app} did not end in ${Math.round(timeoutMs / 1000)} s`,
    `see: kubectl get pods -n ${MESH_NAMESPACE} -l app=${app}`,
  );
}
