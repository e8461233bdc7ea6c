import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { installationRoot } from '@aquifer/runtime';
import { type AppsV1Api, type KubernetesObject, loadAllYaml } from '@kubernetes/client-node';
import { apiStatus } from './api-errors.ts';
import type { Cluster } from './cluster.ts';
import { CliError } from './errors.ts';

const DEPLOY = join(installationRoot(import.meta.dirname), 'deploy');
const MESH_NAMESPACE = 'istio-system';
const READY_TIMEOUT_MS = 120_000;
const POLL_MS = 300;

/** Applies every manifest below a folder of `deploy/`, or one file of it; returns how many objects that were. */
export async function applyManifests(cluster: Cluster, path: string): Promise<number> {
  const files = path.endsWith('.yaml')
    ? [join(DEPLOY, path)]
    : (await readdir(join(DEPLOY, path))).toSorted().map((name) => join(DEPLOY, path, name));
  let count = 0;
  for (const file of files) {
    for (const object of await readObjects(file)) {
      await applyOne(cluster, object, file);
      count += 1;
    }
  }
  return count;
}

async function readObjects(file: string): Promise<KubernetesObject[]> {
  // Not a plain YAML parser: the client drops fields such as `enum` from objects that it did not parse itself.
  return loadAllYaml(await readFile(file, 'utf8'));
}

async function applyOne(cluster: Cluster, object: KubernetesObject, file: string): Promise<void> {
  try {
    await cluster.apply(object);
  } catch (error) {
    const name = `${object.kind}/${object.metadata?.name}`;
    throw new CliError(
      `${name} of ${file} was refused (${apiStatus(error) ?? 'no answer'}): ${(error as Error).message}`,
    );
  }
}

/** Waits until the control plane and a node proxy on every node are ready. */
export async function untilMeshReady(
  cluster: Cluster,
  part: 'control plane' | 'node proxies',
): Promise<void> {
  const { apps } = cluster;
  const deadlineMs = Date.now() + READY_TIMEOUT_MS;
  const isReady = part === 'control plane' ? controlPlaneReady : nodeProxiesReady;
  while (Date.now() < deadlineMs) {
    if (await isReady(apps)) return;
    await delay(POLL_MS);
  }
  throw new CliError(
    `the ${part} did not become ready`,
    `see: kubectl get pods -n ${MESH_NAMESPACE}; kubectl logs -n ${MESH_NAMESPACE} <pod>`,
  );
}

async function controlPlaneReady(apps: AppsV1Api): Promise<boolean> {
  const { spec, status } = await apps.readNamespacedDeployment({
    namespace: MESH_NAMESPACE,
    name: 'istiod',
  });
  return (status?.readyReplicas ?? 0) >= (spec?.replicas ?? 1);
}

async function nodeProxiesReady(apps: AppsV1Api): Promise<boolean> {
  const { status } = await apps.readNamespacedDaemonSet({
    namespace: MESH_NAMESPACE,
    name: 'ztunnel',
  });
  const wanted = status?.desiredNumberScheduled ?? 0;
  return wanted > 0 && (status?.numberReady ?? 0) >= wanted;
}
