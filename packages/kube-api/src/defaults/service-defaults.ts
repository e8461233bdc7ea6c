/** Defaults of Services, and their addresses and node ports. */
import { randomInt } from 'node:crypto';
import { BlockList, isIPv4 } from 'node:net';
import type { ApiObject } from '../cluster-client.ts';
import { type JsonObject, listOr, objectOr, stringOr } from '../json.ts';
import { type Cause, invalidValue } from '../status.ts';
import { fill, itemsOf } from './pod-defaults.ts';

/** Service addresses are 10.96.0.0/16, as kubeadm has them; the API itself is the first. */
export const API_SERVICE_ADDRESS = '10.96.0.1';
const NODE_PORTS = { first: 30_000, last: 32_767 } as const;

/** ClusterIP, no affinity, TCP, and the target port is the port. */
export function serviceDefaults(service: JsonObject): void {
  fill(service, 'spec', {});
  const spec = objectOr(service.spec);
  fill(spec, 'type', 'ClusterIP');
  fill(spec, 'sessionAffinity', 'None');
  if (spec.sessionAffinity === 'ClientIP') {
    fill(spec, 'sessionAffinityConfig', { clientIP: { timeoutSeconds: 10_800 } });
  }
  for (const port of itemsOf(spec, 'ports')) {
    fill(port, 'protocol', 'TCP');
    fill(port, 'targetPort', port.port);
  }
  fill(service, 'status', { loadBalancer: {} });
  if (spec.type === 'ExternalName') return;
  fill(spec, 'internalTrafficPolicy', 'Cluster');
  if (spec.type !== 'ClusterIP') fill(spec, 'externalTrafficPolicy', 'Cluster');
  if (spec.type === 'LoadBalancer') fill(spec, 'allocateLoadBalancerNodePorts', true);
}

function usedAddresses(services: readonly ApiObject[]): Set<string> {
  return new Set(
    services.flatMap((service) => listOr(objectOr(service.spec).clusterIPs).map(String)),
  );
}

function freeAddress(used: ReadonlySet<string>): string {
  for (;;) {
    const address = `10.96.${randomInt(1, 255)}.${randomInt(1, 255)}`;
    if (!used.has(address)) return address;
  }
}

function usedNodePorts(services: readonly ApiObject[]): Set<unknown> {
  return new Set(
    services.flatMap((service) =>
      itemsOf(objectOr(service.spec), 'ports').map((port) => port.nodePort),
    ),
  );
}

function allocateNodePorts(spec: JsonObject, services: readonly ApiObject[]): void {
  const used = usedNodePorts(services);
  for (const port of itemsOf(spec, 'ports')) {
    let candidate = port.nodePort;
    while (candidate === undefined || (candidate !== port.nodePort && used.has(candidate))) {
      candidate = randomInt(NODE_PORTS.first, NODE_PORTS.last + 1);
    }
    port.nodePort = candidate;
    used.add(candidate);
  }
}

/**
 * Gives the service its cluster address and node ports. `others` are the cluster's other services; `previous` is what
 * the service was before an update, whose address it keeps.
 */
export function allocateServiceAddresses(
  service: JsonObject,
  others: readonly ApiObject[],
  previous: ApiObject | null,
): void {
  const spec = objectOr(service.spec);
  if (spec.type === 'ExternalName') {
    for (const field of ['clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy'])
      delete spec[field];
    return;
  }
  const before = objectOr(previous?.spec);
  const asked = stringOr(spec.clusterIP) ?? '';
  const kept = before.type === 'ExternalName' ? '' : (stringOr(before.clusterIP) ?? '');
  const address = asked !== '' ? asked : kept !== '' ? kept : freeAddress(usedAddresses(others));
  spec.clusterIP = address;
  const [first] = listOr(spec.clusterIPs);
  if (first !== address) spec.clusterIPs = [address];
  fill(spec, 'ipFamilies', ['IPv4']);
  fill(spec, 'ipFamilyPolicy', 'SingleStack');
  if (spec.type === 'NodePort' || spec.type === 'LoadBalancer') {
    keepNodePorts(spec, before);
    allocateNodePorts(spec, others);
  }
}

function keepNodePorts(spec: JsonObject, before: JsonObject): void {
  for (const port of itemsOf(spec, 'ports')) {
    const same = itemsOf(before, 'ports').find(
      (old) => old.port === port.port && old.protocol === port.protocol,
    );
    if (same?.nodePort !== undefined) fill(port, 'nodePort', same.nodePort);
  }
}

const serviceRange = new BlockList();
serviceRange.addSubnet('10.96.0.0', 16);

/** Addresses of the other family are nobody's here, and stored as given. */
function inServiceRange(address: string): boolean {
  return !isIPv4(address) || serviceRange.check(address);
}

/** Node ports that are taken, or outside their range. */
function nodePortCauses(
  service: JsonObject,
  others: readonly ApiObject[],
  previous: ApiObject | null,
): Cause[] {
  const spec = objectOr(service.spec);
  if (spec.type !== 'NodePort' && spec.type !== 'LoadBalancer') return [];
  const taken = usedNodePorts(others);
  const own = new Set(itemsOf(objectOr(previous?.spec), 'ports').map((port) => port.nodePort));
  return itemsOf(spec, 'ports').flatMap((port, index) => {
    const { nodePort } = port;
    if (typeof nodePort !== 'number' || nodePort === 0 || own.has(nodePort)) return [];
    const field = `spec.ports[${index}].nodePort`;
    const { first, last } = NODE_PORTS;
    if (nodePort < first || nodePort > last) {
      const why = `provided port is not in the valid range. The range of valid ports is ${first}-${last}`;
      return [invalidValue(field, nodePort, why)];
    }
    return taken.has(nodePort)
      ? [invalidValue(field, nodePort, 'provided port is already allocated')]
      : [];
  });
}

/** A change of type leaves behind what the new type has not, unless the same change sets it. */
export function dropFormerType(service: JsonObject, previous: ApiObject): void {
  const spec = objectOr(service.spec);
  const before = objectOr(previous.spec);
  if (spec.type === before.type || (spec.type !== 'ClusterIP' && spec.type !== 'ExternalName')) {
    return;
  }
  const former = itemsOf(before, 'ports').map((port) => port.nodePort);
  for (const port of itemsOf(spec, 'ports')) {
    if (former.includes(port.nodePort)) delete port.nodePort;
  }
  for (const field of ['externalTrafficPolicy', 'allocateLoadBalancerNodePorts']) {
    if (spec[field] === before[field]) delete spec[field];
  }
}

/** Mistakes of a service's address and node ports: taken by another service, out of range, or changed later. */
export function serviceAddressCauses(
  service: JsonObject,
  others: readonly ApiObject[],
  previous: ApiObject | null,
): Cause[] {
  const addresses = addressCauses(service, others, previous);
  return addresses.length > 0 ? addresses : nodePortCauses(service, others, previous);
}

function addressCauses(
  service: JsonObject,
  others: readonly ApiObject[],
  previous: ApiObject | null,
): Cause[] {
  const address = stringOr(objectOr(service.spec).clusterIP);
  const before = stringOr(objectOr(previous?.spec).clusterIP) ?? '';
  if (address === undefined || address === 'None') return [];
  if (before !== '' && before !== address && before !== 'None') {
    return [invalidValue('spec.clusterIPs[0]', [address], 'may not change once set')];
  }
  if (before !== address && !inServiceRange(address)) {
    const why = `failed to allocate IP ${address}: the provided network does not match the current range`;
    return [invalidValue('spec.clusterIPs', [address], why)];
  }
  if (before !== address && usedAddresses(others).has(address)) {
    const why = `failed to allocate IP ${address}: provided IP is already allocated`;
    return [invalidValue('spec.clusterIPs', [address], why)];
  }
  return [];
}
