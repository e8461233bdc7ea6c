import { setTimeout as delay } from 'node:timers/promises';
import type { AppsV1Api } from '@kubernetes/client-node';
import { isNotFound } from '../api-errors.ts';
import type { Cluster } from '../cluster.ts';
import { CliError } from '../errors.ts';
import { MESH_NAMESPACE } from './render.ts';

const READY_TIMEOUT_MS = 120_000;
const POLL_MS = 300;
/** Registries fail for a moment; an image that is not there will not come. */
const IMAGE_PATIENCE_MS = 10_000;
const NO_IMAGE = /^(?:ErrImagePull|ImagePullBackOff|InvalidImageName|ErrImageNeverPull)$/;

type Part = 'control plane' | 'node proxies';

/**
 * Waits until the control plane, or a node proxy on every node, runs in the version that was applied and is ready. Throws what
 * its pods say: after the time limit, or as soon as it is sure that an image cannot be had.
 */
export async function untilMeshReady(
  cluster: Cluster,
  part: Part,
  timeoutMs: number = READY_TIMEOUT_MS,
): Promise<void> {
  const startedMs = Date.now();
  const isReady = part === 'control plane' ? controlPlaneReady : nodeProxiesReady;
  let withoutImageSinceMs: number | null = null;
  for (;;) {
    if (await isReady(cluster.apps)) return;
    const troubles = await troublesOf(cluster, part);
    const isWithoutImage = troubles.some(({ reason }) => NO_IMAGE.test(reason));
    withoutImageSinceMs = isWithoutImage ? (withoutImageSinceMs ?? Date.now()) : null;
    const nowMs = Date.now();
    const isHopeless =
      withoutImageSinceMs !== null && nowMs - withoutImageSinceMs > IMAGE_PATIENCE_MS;
    if (isHopeless || nowMs - startedMs > timeoutMs) {
      const seconds = Math.round((nowMs - startedMs) / 1000);
      throw new CliError(
        `the ${part} did not become ready in ${seconds} s${troubles.map(({ text }) => text).join('')}`,
        isHopeless
          ? 'build and push images with: npm run images -- --hub REGISTRY/FOLDER --push; then name them: -f dist/images/values.yaml'
          : `see: kubectl get pods -n ${MESH_NAMESPACE}; kubectl logs -n ${MESH_NAMESPACE} <pod>`,
      );
    }
    await delay(POLL_MS);
  }
}

interface Trouble {
  readonly reason: string;
  readonly text: string;
}

/** What keeps containers from being ready. */
async function troublesOf({ core }: Cluster, part: Part): Promise<Trouble[]> {
  const app = part === 'control plane' ? 'istiod' : 'ztunnel';
  const { items } = await core.listNamespacedPod({
    namespace: MESH_NAMESPACE,
    labelSelector: `app=${app}`,
  });
  return items.flatMap(({ metadata, status }) =>
    (status?.containerStatuses ?? []).flatMap(({ ready, state }) => {
      if (ready) return [];
      const { reason = 'not ready', message } = state?.waiting ?? state?.terminated ?? {};
      const said = [reason, message].filter(Boolean).join(': ');
      return [{ reason, text: `\n  ${metadata?.name}: ${said}` }];
    }),
  );
}

async function controlPlaneReady(apps: AppsV1Api): Promise<boolean> {
  const { metadata, spec, status } = await apps.readNamespacedDeployment({
    namespace: MESH_NAMESPACE,
    name: 'istiod',
  });
  if (metadata?.generation !== status?.observedGeneration) return false;
  const wanted = spec?.replicas ?? 1;
  // Until the old ones are gone, those that are ready may be they.
  const { readyReplicas = 0, updatedReplicas = 0, replicas = 0 } = status ?? {};
  return readyReplicas >= wanted && updatedReplicas >= wanted && replicas === updatedReplicas;
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
