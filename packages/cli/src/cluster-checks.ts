import type { KubernetesObject, V1Node, V1Pod } from '@kubernetes/client-node';
import { isNotFound } from './api-errors.ts';
import type { Cluster } from './cluster.ts';
import { AMBIENT, capturedCondition, isToBeCaptured } from './enrolment.ts';
import type { Finding } from './finding.ts';
import { isOurs, readLive } from './installation/apply.ts';
import { readDefinitions } from './installation/render.ts';
import { assertSupported } from './installation/supported-cluster.ts';

const NAMESPACE = 'istio-system';
const CLASS = 'istio-waypoint';
/** With these, pods start captured: NRI is there, and on unless it was switched off. */
const GATED_RUNTIMES = [
  { name: 'containerd', major: 2, minor: 0 },
  { name: 'cri-o', major: 1, minor: 26 },
];
/** Redirection with nftables in network namespaces, and original destinations of IPv6. */
const OLDEST_KERNEL = { major: 5, minor: 4 };
const NAMES_SHOWN = 5;

/** Everything that can be said of a cluster from outside, before and after the mesh is installed. */
export async function checkCluster(cluster: Cluster): Promise<Finding[]> {
  const { items: nodes } = await cluster.core.listNode();
  return [
    await supported(cluster),
    kernels(nodes),
    runtimes(nodes),
    await definitions(cluster),
    await controlPlane(cluster),
    await nodeProxies(cluster),
    ...(await enrolledPods(cluster)),
    ...(await waypoints(cluster)),
  ];
}

function finding(what: string, state: Finding['state'], remedy = ''): Finding {
  return { area: 'cluster', what, state, remedy };
}

async function supported(cluster: Cluster): Promise<Finding> {
  try {
    const found = await assertSupported(cluster);
    const by = {
      absent: 'the mesh is not installed',
      ours: 'installed by aquifer',
      helm: 'installed by helm',
    };
    return finding(`a Kubernetes that the mesh runs on; ${by[found]}`, 'ok');
  } catch (error) {
    const { message, remedy } = error as Error & { remedy?: string };
    return finding(message, 'missing', remedy ?? '');
  }
}

function kernels(nodes: readonly V1Node[]): Finding {
  const old = nodes.filter(({ status }) => {
    const version = parseVersion(status?.nodeInfo?.kernelVersion ?? '');
    return version !== null && isOlder(version, OLDEST_KERNEL);
  });
  const { major, minor } = OLDEST_KERNEL;
  const what = `Linux ${major}.${minor} or newer on every node`;
  if (old.length === 0) return finding(what, 'ok');
  return finding(`${what}: not on ${names(old)}`, 'missing', 'upgrade those nodes');
}

function runtimes(nodes: readonly V1Node[]): Finding {
  const without = nodes.filter(({ status }) => !isGated(status?.nodeInfo?.containerRuntimeVersion));
  const what = 'a container runtime that lets pods start captured (NRI)';
  if (without.length === 0) return finding(what, 'ok');
  return finding(
    `${what}: unknown on ${names(without)}`,
    'optional',
    'containerd 2, or 1.7 with NRI switched on, or CRI-O 1.26; without it the first second of a new pod is outside of the mesh',
  );
}

/** `containerd://2.1.4`. */
function isGated(runtime = ''): boolean {
  const [name, text = ''] = runtime.split('://');
  const known = GATED_RUNTIMES.find((one) => one.name === name);
  const version = parseVersion(text);
  return known !== undefined && version !== null && !isOlder(version, known);
}

interface Version {
  readonly major: number;
  readonly minor: number;
}

function parseVersion(text: string): Version | null {
  const [, major, minor] = /^v?(\d+)\.(\d+)/.exec(text) ?? [];
  return major === undefined ? null : { major: Number(major), minor: Number(minor) };
}

function isOlder(a: Version, b: Version): boolean {
  return a.major < b.major || (a.major === b.major && a.minor < b.minor);
}

async function definitions(cluster: Cluster): Promise<Finding> {
  const wanted = readDefinitions();
  const live = await Promise.all(wanted.map((definition) => readLive(cluster, definition)));
  const missing = wanted.filter((_, index) => live[index] === null);
  const foreign = live.filter((one) => one !== null && !isOurs(one)).length;
  const others = foreign > 0 ? `, ${foreign} of them somebody else's` : '';
  const what = `custom resources of Gateway API and Istio: ${wanted.length - missing.length} of ${wanted.length}${others}`;
  return missing.length === 0
    ? finding(what, 'ok')
    : finding(
        `${what}; not ${names(missing)}`,
        'missing',
        'aquifer install, or kubectl apply -f deploy/crds',
      );
}

async function controlPlane({ apps }: Cluster): Promise<Finding> {
  const what = 'control plane (istiod)';
  try {
    const { spec, status } = await apps.readNamespacedDeployment({
      namespace: NAMESPACE,
      name: 'istiod',
    });
    const wanted = spec?.replicas ?? 1;
    const ready = status?.readyReplicas ?? 0;
    return ready >= wanted
      ? finding(`${what}: ${ready} of ${wanted} ready`, 'ok')
      : finding(
          `${what}: ${ready} of ${wanted} ready`,
          'missing',
          `kubectl describe pods -n ${NAMESPACE} -l app=istiod`,
        );
  } catch (error) {
    if (!isNotFound(error)) throw error;
    return finding(what, 'missing', 'aquifer install');
  }
}

async function nodeProxies({ apps }: Cluster): Promise<Finding> {
  const what = 'node proxies (ztunnel)';
  try {
    const { status } = await apps.readNamespacedDaemonSet({
      namespace: NAMESPACE,
      name: 'ztunnel',
    });
    const wanted = status?.desiredNumberScheduled ?? 0;
    const ready = status?.numberReady ?? 0;
    return wanted > 0 && ready >= wanted
      ? finding(`${what}: ${ready} of ${wanted} ready`, 'ok')
      : finding(
          `${what}: ${ready} of ${wanted} ready`,
          'missing',
          `kubectl describe pods -n ${NAMESPACE} -l app=ztunnel`,
        );
  } catch (error) {
    if (!isNotFound(error)) throw error;
    return finding(what, 'missing', 'aquifer install');
  }
}

/** Nothing is said while nothing is enrolled. */
async function enrolledPods({ core }: Cluster): Promise<Finding[]> {
  const { items: namespaces } = await core.listNamespace({ labelSelector: `${AMBIENT}=ambient` });
  const found: V1Pod[] = [];
  for (const { metadata } of namespaces)
    found.push(...(await core.listNamespacedPod({ namespace: metadata!.name! })).items);
  const enrolled = found.filter(isToBeCaptured);
  if (enrolled.length === 0) return [];
  const outside = enrolled.filter((pod) => capturedCondition(pod)?.status !== 'True');
  const what = `enrolled pods that are captured: ${enrolled.length - outside.length} of ${enrolled.length}`;
  if (outside.length === 0) return [finding(what, 'ok')];
  const [first] = outside;
  const why = capturedCondition(first!)?.message ?? 'the node proxy has not said why';
  return [
    finding(
      `${what}; not ${names(outside)}: ${why}`,
      'missing',
      'kubectl describe pod: condition ambient.istio.io/Captured',
    ),
  ];
}

interface GatewayObject extends KubernetesObject {
  readonly spec?: { readonly gatewayClassName?: string };
  readonly status?: {
    readonly conditions?: readonly { type: string; status: string; message: string }[];
  };
}

async function waypoints({ objects }: Cluster): Promise<Finding[]> {
  let gateways: GatewayObject[];
  try {
    gateways = (await objects.list('gateway.networking.k8s.io/v1', 'Gateway')).items;
  } catch {
    // Said among the custom resources.
    return [];
  }
  const own = gateways.filter(({ spec }) => spec?.gatewayClassName === CLASS);
  if (own.length === 0) return [];
  const not = own.filter(({ status }) => programmed(status)?.status !== 'True');
  const what = `waypoints that are programmed: ${own.length - not.length} of ${own.length}`;
  if (not.length === 0) return [finding(what, 'ok')];
  const why = programmed(not[0]!.status)?.message ?? 'the control plane has not said why';
  return [finding(`${what}; not ${names(not)}: ${why}`, 'missing', 'aquifer waypoint status -A')];
}

function programmed(status: GatewayObject['status']) {
  return status?.conditions?.find(({ type }) => type === 'Programmed');
}

function names(objects: readonly KubernetesObject[]): string {
  const shown = objects.slice(0, NAMES_SHOWN).map(({ metadata }) => {
    const { namespace, name } = metadata!;
    return namespace === undefined ? name : `${namespace}/${name}`;
  });
  return (
    shown.join(', ') +
    (objects.length > NAMES_SHOWN ? ` and ${objects.length - NAMES_SHOWN} more` : '')
  );
}
