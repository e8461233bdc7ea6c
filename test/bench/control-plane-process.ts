/**
 * Derives a cluster of the size that its arguments say (pods, services, waypoints) and then event after event; prints
 * processor time and memory as one JSON object. A process of its own, so that its memory can be read. Needs `--expose-gc`.
 */
import { Derivation } from '../../packages/control-plane/src/derive/derivation.ts';
import { keyOf } from '../../packages/control-plane/src/ingest/cluster-inputs.ts';
import { ServedResources } from '../../packages/control-plane/src/push/served-resources.ts';
import {
  type ClusterObject,
  clusterObjects,
  LARGE_NAMESPACE,
  LARGE_WAYPOINT_SERVICES,
  newVersion,
  nodeObject,
  podObject,
  rootPolicy,
  routeObject,
} from './cluster-objects.ts';

const [pods, services, waypoints] = process.argv.slice(2).map(Number) as [number, number, number];
const WARM_UP = 20;
const EVENTS = 50;
const SETTINGS = {
  clusterId: 'Kubernetes',
  clusterDomain: 'cluster.local',
  trustDomain: 'cluster.local',
  systemNamespace: 'istio-system',
  excludeNamespaces: ['kube-system'],
};

const result: Record<string, number> = {};
const derivation = new Derivation(SETTINGS, (collection, key, error) => {
  throw new Error(`${collection} ${key}`, { cause: error });
});
const served = new ServedResources();

function put(object: ClusterObject): void {
  derivation.cluster.anyOf(object.kind).set(keyOf(object), object);
}

/** One round, and what a node proxy and the large waypoint would be sent of it; returns its bytes. */
function round(
  readers: readonly { next(): { changed: readonly { bytes: Uint8Array }[] } }[],
): number {
  derivation.settle();
  served.follow(derivation);
  const changed = readers.flatMap((reader) => reader.next().changed);
  return changed.reduce((sum, { bytes }) => sum + bytes.length, 0);
}

function heldBytes(): number {
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

const emptyBytes = heldBytes();
const objects = [...clusterObjects({ pods, services, waypoints })];
const objectBytes = heldBytes() - emptyBytes;
for (const object of objects) put(object);
const startMs = cpuMs();
round([]);
result['first s'] = (cpuMs() - startMs) / 1000;
result['bytes per pod'] = (heldBytes() - emptyBytes - objectBytes) / pods;

const readers = [
  served.addresses.follow(),
  served.authorizations.follow(),
  served.waypoint(`${LARGE_NAMESPACE}/waypoint`)!.clusters.follow(),
  served.waypoint(`${LARGE_NAMESPACE}/waypoint`)!.listeners.follow(),
  served.waypoint(`${LARGE_NAMESPACE}/waypoint`)!.endpoints.follow(),
];

/** Milliseconds of processor time for one event, and the bytes that it pushes. */
function measure(name: string, event: (index: number) => ClusterObject): void {
  for (let i = 0; i < WARM_UP; i++) {
    put(event(i));
    round(readers);
  }
  const beforeMs = cpuMs();
  let pushed = 0;
  for (let i = 0; i < EVENTS; i++) {
    put(event(WARM_UP + i));
    pushed += round(readers);
  }
  result[`${name} ms`] = (cpuMs() - beforeMs) / EVENTS;
  result[`${name} KiB`] = pushed / EVENTS / 1024;
}

const perNamespace = Math.max(1, Math.floor(services / Math.ceil(pods / 250)));
const gateway = objects.find(
  ({ kind, metadata }) => kind === 'Gateway' && metadata.namespace === 'ns-0',
)!;

measure('pod', (index) => {
  const pod = podObject((index * 7919) % pods, perNamespace);
  const labels = { ...pod.metadata.labels, version: `v${index}` };
  return { ...pod, metadata: { ...pod.metadata, labels } };
});
measure('node', (index) => newVersion(nodeObject(index % Math.ceil(pods / 50))));
measure('gateway status', (index) =>
  newVersion({
    ...gateway,
    status: { ...(gateway.status as object), conditions: [{ type: `${index}` }] },
  }),
);
measure('root policy', rootPolicy);
measure('route weight', (index) => routeObject(index % LARGE_WAYPOINT_SERVICES, 1 + (index % 99)));
process.stdout.write(`${JSON.stringify(result)}\n`);
