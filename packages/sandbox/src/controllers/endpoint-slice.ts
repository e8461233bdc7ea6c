/** Keeps one EndpointSlice per Service with a selector: where its pods are, and which of them serve. */
import type { ApiObject } from '@aquifer/kube-api';
import type { Controller, ControllerDeps } from './controller.ts';
import { runController } from './controller.ts';
import { isFinished, isReady, isTerminating } from './pod-state.ts';
import { canonical, controlledBy, randomSuffix } from './pod-template.ts';
import { ENDPOINT_SLICES } from './resource-keys.ts';
import { followPods, hasEndpoints, podsOf } from './service-pods.ts';

const MANAGED_BY = 'endpointslice.kubernetes.io/managed-by';
const MANAGER = 'endpointslice-controller.k8s.io';
const SERVICE_NAME = 'kubernetes.io/service-name';

const FIRST_RETRY_MS = 1000;
const LAST_RETRY_MS = 1_000_000;

interface ServicePort {
  readonly name?: string;
  readonly port: number;
  readonly protocol?: string;
  readonly targetPort?: number | string;
  readonly appProtocol?: string;
}

interface ContainerPort {
  readonly name?: string;
  readonly containerPort: number;
  readonly protocol?: string;
}

export function runEndpointSlices(deps: ControllerDeps): Controller {
  const { client, informers, events } = deps;
  /** How often in a row a Service had pods without a node, by its name. */
  const retries = new Map<string, number>();
  const controller = runController(
    deps,
    { parents: informers.services, kind: 'Service', children: informers.slices },
    async (service) => {
      const { name, namespace = '' } = service.metadata;
      if (!hasEndpoints(service)) return;
      const { pods, strayed } = podsOf(service, informers);
      const zones = new Map(
        informers.nodes.list().map((node) => [node.metadata.name, zoneOf(node)]),
      );
      const wanted = sliceGroups(service, pods, zones);
      const existing = informers.slices
        .list(namespace)
        .filter(
          ({ metadata }) =>
            metadata.labels?.[SERVICE_NAME] === name && metadata.labels[MANAGED_BY] === MANAGER,
        );
      for (const [index, body] of wanted.entries()) {
        const slice = existing[index];
        if (slice === undefined) await create(service, body);
        else if (differs(slice, body)) await client.update(ENDPOINT_SLICES, { ...slice, ...body });
      }
      for (const { metadata } of existing.slice(wanted.length)) {
        await client.delete(ENDPOINT_SLICES, { name: metadata.name, namespace });
      }
      if (strayed.length === 0) retries.delete(name);
      else complain(service, strayed);
    },
  );
  followPods(informers, controller);
  return controller;

  function complain(service: ApiObject, strayed: readonly ApiObject[]): void {
    const { name, namespace = '' } = service.metadata;
    const problems = strayed.map(
      (pod) =>
        `skipping Pod ${pod.metadata.name} for Service ${namespace}/${name}: Node ${pod.spec.nodeName ?? ''} Not Found`,
    );
    const list = problems.length === 1 ? problems[0] : `[${problems.join(', ')}]`;
    events.warning(
      service,
      'FailedToUpdateEndpointSlices',
      `Error updating Endpoint Slices for Service ${namespace}/${name}: ${list}`,
    );
    const attempt = retries.get(name) ?? 0;
    retries.set(name, attempt + 1);
    controller.look(service, Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** attempt));
  }

  async function create(service: ApiObject, body: SliceBody): Promise<void> {
    const { name, namespace = '', labels } = service.metadata;
    const slice = await client.create(ENDPOINT_SLICES, {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: {
        name: `${name}-${randomSuffix()}`,
        generateName: `${name}-`,
        namespace,
        labels: { ...labels, [SERVICE_NAME]: name, [MANAGED_BY]: MANAGER },
        ownerReferences: controlledBy(service),
      },
      ...body,
    });
    await seen(slice);
  }

  /** The next look at the Service must find this slice, or it would make another. */
  async function seen({ metadata }: ApiObject): Promise<void> {
    while (informers.slices.get(metadata.namespace, metadata.name) === null) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

interface SliceBody {
  readonly addressType: 'IPv4';
  readonly endpoints: readonly unknown[];
  readonly ports: readonly unknown[];
}

/**
 * One slice per set of port numbers: pods may give a named port different numbers. Without pods one empty slice is
 * left, so that the Service's ports stay visible.
 */
export function sliceGroups(
  service: ApiObject,
  pods: readonly ApiObject[],
  zones: ReadonlyMap<string, string | undefined>,
): readonly SliceBody[] {
  const groups = new Map<string, { ports: unknown[]; endpoints: unknown[] }>();
  const placed = pods.filter((pod) => pod.status?.podIP && !isFinished(pod));
  for (const pod of placed.toSorted((one, other) => (nameOf(one) < nameOf(other) ? -1 : 1))) {
    const ports = slicePorts(service, pod);
    const key = JSON.stringify(ports);
    const group = groups.get(key) ?? { ports, endpoints: [] };
    group.endpoints.push(endpoint(service, pod, zones));
    groups.set(key, group);
  }
  if (groups.size === 0) groups.set('', { ports: [], endpoints: [] });
  return [...groups.values()].map((group) => ({ addressType: 'IPv4', ...group }));
}

function endpoint(
  service: ApiObject,
  pod: ApiObject,
  zones: ReadonlyMap<string, string | undefined>,
): unknown {
  const takesUnready = service.spec.publishNotReadyAddresses === true;
  const serving = isReady(pod);
  const terminating = isTerminating(pod);
  const { name, namespace, uid } = pod.metadata;
  const nodeName: string = pod.spec.nodeName;
  const zone = zones.get(nodeName);
  const hasHostname = pod.spec.hostname && pod.spec.subdomain === service.metadata.name;
  return {
    addresses: [pod.status.podIP],
    conditions: { ready: takesUnready || (serving && !terminating), serving, terminating },
    ...(hasHostname ? { hostname: pod.spec.hostname } : {}),
    nodeName,
    targetRef: { kind: 'Pod', namespace, name, uid },
    ...(zone === undefined ? {} : { zone }),
  };
}

/** The ports of a Service as its pod serves them; those that the pod has not are left out. */
export function slicePorts(service: ApiObject, pod: ApiObject): unknown[] {
  const ports: readonly ServicePort[] = service.spec.ports ?? [];
  return ports.flatMap((port) => {
    const protocol = port.protocol ?? 'TCP';
    const number = targetPort(port, pod);
    if (number === null) return [];
    const { appProtocol } = port;
    return [
      {
        name: port.name ?? '',
        port: number,
        protocol,
        ...(appProtocol === undefined ? {} : { appProtocol }),
      },
    ];
  });
}

/** Null when the pod has no port of that name. */
function targetPort(port: ServicePort, pod: ApiObject): number | null {
  const target = port.targetPort ?? port.port;
  if (typeof target === 'number') return target;
  const containers: readonly { ports?: readonly ContainerPort[] }[] = [
    ...pod.spec.containers,
    ...(pod.spec.initContainers ?? []),
  ];
  const found = containers
    .flatMap(({ ports = [] }) => ports)
    .find(
      ({ name, protocol }) => name === target && (protocol ?? 'TCP') === (port.protocol ?? 'TCP'),
    );
  return found?.containerPort ?? null;
}

function differs(slice: ApiObject, body: SliceBody): boolean {
  const { endpoints = [], ports = [] } = slice;
  const own = { endpoints: body.endpoints, ports: body.ports };
  return JSON.stringify(canonical({ endpoints, ports })) !== JSON.stringify(canonical(own));
}

function zoneOf({ metadata }: ApiObject): string | undefined {
  return metadata.labels?.['topology.kubernetes.io/zone'];
}

function nameOf({ metadata }: ApiObject): string {
  return metadata.name;
}
