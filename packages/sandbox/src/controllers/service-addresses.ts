/**
 * Gives Services their cluster address and node ports, as the API server does while it admits them, so that the answer
 * to a create already carries both (https://kubernetes.io/docs/concepts/services-networking/cluster-ip-allocation/).
 */
import { ApiStatusError } from '../api-status-error.ts';
import type { ApiObject } from '../cluster-client.ts';

/** Addresses 10.96.0.0-10.96.0.255 are left to those who ask for one by number. */
const FIRST_DYNAMIC_HOST = 256;
const LAST_HOST = 65_534;
/** The default --service-node-port-range of Kubernetes. */
const FIRST_NODE_PORT = 30_000;
const LAST_NODE_PORT = 32_767;

interface ServicePort {
  port: number;
  protocol?: string;
  nodePort?: number;
  [field: string]: unknown;
}

/**
 * Returns the Service with `clusterIP`, `clusterIPs` and `nodePort`s filled in. `existing` are all Services of the
 * cluster; `previous` is the stored version on an update, whose address is kept. Throws `ApiStatusError` 422 for an
 * address that is malformed, outside 10.96.0.0/16, taken by another Service, or changed on an update.
 */
export function allocateServiceAddress(
  service: ApiObject,
  existing: readonly ApiObject[],
  previous: ApiObject | null = null,
): ApiObject {
  const spec = { ...service.spec };
  const others = existing.filter((other) => !isSame(other, service));
  if (spec.type === 'ExternalName') {
    delete spec.clusterIP;
    delete spec.clusterIPs;
    return { ...service, spec };
  }
  const clusterIp = chooseClusterIp(service, others, previous);
  spec.clusterIP = clusterIp;
  spec.clusterIPs = [clusterIp];
  if (spec.type === 'NodePort' || spec.type === 'LoadBalancer') {
    spec.ports = withNodePorts(spec.ports ?? [], others, previous?.spec?.ports ?? []);
  }
  return { ...service, spec };
}

function chooseClusterIp(
  service: ApiObject,
  others: readonly ApiObject[],
  previous: ApiObject | null,
): string {
  const wanted: string = service.spec?.clusterIP ?? '';
  const before = previous?.spec.type === 'ExternalName' ? '' : (previous?.spec.clusterIP ?? '');
  if (before === '') return newClusterIp(service, wanted, others);
  if (wanted === '' || wanted === before) return before;
  throw invalid(service, wanted, 'may not change once set');
}

function newClusterIp(service: ApiObject, wanted: string, others: readonly ApiObject[]): string {
  if (wanted === 'None') return wanted;
  const used = new Set(others.map((other) => other.spec?.clusterIP));
  if (wanted === '') return randomFree(used);
  if (!/^10\.96\.(\d{1,3})\.(\d{1,3})$/.test(wanted)) {
    throw invalid(
      service,
      wanted,
      'failed to allocate IP: the provided IP is not in the valid range. The range of valid IPs is 10.96.0.0/16',
    );
  }
  if (used.has(wanted)) {
    throw invalid(service, wanted, 'failed to allocate IP: provided IP is already allocated');
  }
  return wanted;
}

function randomFree(used: ReadonlySet<string>): string {
  const size = LAST_HOST - FIRST_DYNAMIC_HOST + 1;
  const start = Math.floor(Math.random() * size);
  for (let step = 0; step < size; step++) {
    const host = FIRST_DYNAMIC_HOST + ((start + step) % size);
    const address = `10.96.${host >> 8}.${host & 255}`;
    if (!used.has(address)) return address;
  }
  throw new ApiStatusError(500, 'InternalError', 'failed to allocate a serviceIP: range is full');
}

function withNodePorts(
  ports: readonly ServicePort[],
  others: readonly ApiObject[],
  before: readonly ServicePort[],
): ServicePort[] {
  const used = new Set<number>();
  for (const other of others) {
    for (const port of (other.spec?.ports ?? []) as ServicePort[]) used.add(port.nodePort ?? 0);
  }
  return ports.map((port) => {
    const kept = before.find((old) => old.port === port.port && old.protocol === port.protocol);
    const nodePort = port.nodePort ?? kept?.nodePort ?? freeNodePort(used);
    used.add(nodePort);
    return { ...port, nodePort };
  });
}

function freeNodePort(used: ReadonlySet<number>): number {
  const size = LAST_NODE_PORT - FIRST_NODE_PORT + 1;
  const start = Math.floor(Math.random() * size);
  for (let step = 0; step < size; step++) {
    const port = FIRST_NODE_PORT + ((start + step) % size);
    if (!used.has(port)) return port;
  }
  throw new ApiStatusError(500, 'InternalError', 'failed to allocate a nodePort: range is full');
}

function isSame(one: ApiObject, other: ApiObject): boolean {
  return (
    one.metadata.name === other.metadata.name && one.metadata.namespace === other.metadata.namespace
  );
}

function invalid(service: ApiObject, value: string, detail: string): ApiStatusError {
  const cause = { reason: 'FieldValueInvalid', field: 'spec.clusterIPs', message: detail };
  return new ApiStatusError(
    422,
    'Invalid',
    `Service "${service.metadata.name}" is invalid: spec.clusterIPs: Invalid value: [${JSON.stringify(value)}]: ${detail}`,
    { name: service.metadata.name, kind: 'Service', causes: [cause] },
  );
}
