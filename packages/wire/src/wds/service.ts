import type { LoadBalancing, Result, RoutingScope, Service, ServiceAddress } from '@aquifer/model';
import { err, formatIpAddress, ok, parseIpAddress } from '@aquifer/model';
import { create } from '@bufbuild/protobuf';
import {
  type LoadBalancing as PbLoadBalancing,
  type NetworkAddress as PbNetworkAddress,
  type Service as PbService,
  type WeightedWaypoint as PbWeightedWaypoint,
  ServiceSchema,
  Visibility,
} from '../gen/istio/workload_pb.ts';
import { HEALTH_POLICY, IP_FAMILIES, LOAD_BALANCING_MODE, ROUTING_SCOPE } from './enums.ts';
import { decodeGatewayAddress, encodeGatewayAddress, malformedAddress } from './gateway-address.ts';
import { decodePort, encodePort } from './workload.ts';

/** The model as WDS carries it. */
export function encodeService(service: Service): PbService {
  const { waypoint, loadBalancing } = service;
  return create(ServiceSchema, {
    name: service.name,
    namespace: service.namespace,
    hostname: service.hostname,
    addresses: service.addresses.map(encodeAddress),
    ports: service.ports.map(encodePort),
    subjectAltNames: [...service.subjectAltNames],
    ipFamilies: IP_FAMILIES.encode[service.ipFamilies],
    canonical: service.canonical,
    ingressUseWaypoint: service.ingressUseWaypoint,
    visibility: service.visibility === 'public' ? Visibility.PUBLIC : Visibility.NAMESPACE,
    weightedWaypoints: service.weightedWaypoints.map(({ destination, weight }) => ({
      destination: encodeGatewayAddress(destination),
      weight,
    })),
    ...(waypoint && { waypoint: encodeGatewayAddress(waypoint) }),
    ...(loadBalancing && { loadBalancing: encodeLoadBalancing(loadBalancing) }),
  });
}

/** A malformed address, an unknown load-balancing value or a waypoint without destination refuses the resource. */
export function decodeService(message: PbService): Result<Service, string> {
  const addresses: ServiceAddress[] = [];
  for (const { network, address: bytes, length } of message.addresses) {
    const address = formatIpAddress(bytes);
    if (address === null) return err(malformedAddress(bytes));
    const bits = bytes.length * 8;
    if (length !== undefined && length > bits) return err(`invalid prefix length ${length}`);
    addresses.push({ network, address, prefixLength: length === bits ? null : (length ?? null) });
  }
  const waypoint = decodeGatewayAddress(message.waypoint);
  if (!waypoint.ok) return waypoint;
  const weightedWaypoints = decodeWeightedWaypoints(message.weightedWaypoints);
  if (!weightedWaypoints.ok) return weightedWaypoints;
  const loadBalancing = decodeLoadBalancing(message.loadBalancing);
  if (!loadBalancing.ok) return loadBalancing;
  return ok({
    name: message.name,
    namespace: message.namespace,
    hostname: message.hostname,
    addresses,
    ports: message.ports.map(decodePort),
    subjectAltNames: message.subjectAltNames,
    waypoint: waypoint.value,
    weightedWaypoints: weightedWaypoints.value,
    loadBalancing: loadBalancing.value,
    ipFamilies: IP_FAMILIES.decode(message.ipFamilies) ?? 'automatic',
    canonical: message.canonical,
    ingressUseWaypoint: message.ingressUseWaypoint,
    visibility: message.visibility === Visibility.NAMESPACE ? 'namespace' : 'public',
  });
}

function encodeAddress({ network, address, prefixLength }: ServiceAddress) {
  const bytes = parseIpAddress(address) ?? new Uint8Array();
  return {
    network,
    address: bytes,
    ...(prefixLength !== null && { length: prefixLength }),
  } satisfies Partial<PbNetworkAddress>;
}

function encodeLoadBalancing(from: LoadBalancing) {
  return {
    routingPreference: from.routingPreference.map((scope) => ROUTING_SCOPE.encode[scope]),
    mode: LOAD_BALANCING_MODE.encode[from.mode],
    healthPolicy: HEALTH_POLICY.encode[from.healthPolicy],
  };
}

function decodeWeightedWaypoints(
  messages: readonly PbWeightedWaypoint[],
): Result<Service['weightedWaypoints'], string> {
  const decoded = [];
  for (const { destination, weight } of messages) {
    const gateway = decodeGatewayAddress(destination);
    if (!gateway.ok) return gateway;
    if (gateway.value === null) return err('weighted waypoint has no destination');
    decoded.push({ destination: gateway.value, weight });
  }
  return ok(decoded);
}

function decodeLoadBalancing(
  message: PbLoadBalancing | undefined,
): Result<LoadBalancing | null, string> {
  if (message === undefined) return ok(null);
  const routingPreference: RoutingScope[] = [];
  for (const number of message.routingPreference) {
    const scope = ROUTING_SCOPE.decode(number);
    if (scope === undefined) return err(`unknown routing preference ${number}`);
    routingPreference.push(scope);
  }
  const mode = LOAD_BALANCING_MODE.decode(message.mode);
  if (mode === undefined) return err(`unknown load balancing mode ${message.mode}`);
  const healthPolicy = HEALTH_POLICY.decode(message.healthPolicy);
  if (healthPolicy === undefined) return err(`unknown health policy ${message.healthPolicy}`);
  return ok({ routingPreference, mode, healthPolicy });
}
