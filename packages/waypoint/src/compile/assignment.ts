import { formatSocketAddress, parseAuthority } from '@aquifer/wire';
import {
  type Address,
  HealthStatus,
  type SocketAddress,
} from '@aquifer/wire/gen/envoy/config/core/v3_pb';
import type {
  ClusterLoadAssignment,
  Endpoint,
  Endpoint_AdditionalAddress,
  LbEndpoint,
} from '@aquifer/wire/gen/envoy/config/endpoint/v3_pb';
import type { JsonObject } from '@bufbuild/protobuf';
import type { HostAddress, HostMetadata } from '../clusters/host.ts';
import { ConfigProblem } from './problem.ts';

/** Of `priority`; Envoy's limit. */
const MAX_PRIORITY = 128;
const DEFAULT_OVERPROVISIONING_PERCENT = 140;

/** An endpoint as configured. */
export interface EndpointSpec {
  readonly address: HostAddress;
  /** What consistent hashing knows it by: its address, as Envoy writes it, unless its metadata says another. */
  readonly hashKey: string;
  readonly isHealthy: boolean;
  readonly weight: number;
  readonly metadata: HostMetadata | null;
  /** What it says of how it is reached, for transport socket matches. */
  readonly socketLabels: JsonObject;
}

interface LocalitySpec {
  readonly priority: number;
  /** 0 if it has none. */
  readonly weight: number;
  readonly endpoints: readonly EndpointSpec[];
}

export interface CompiledAssignment {
  readonly localities: readonly LocalitySpec[];
  /** How much more than its part a priority may take; 140 of 100 unless configured. */
  readonly overprovisioningPercent: number;
}

export const NO_ENDPOINTS: CompiledAssignment = {
  localities: [],
  overprovisioningPercent: DEFAULT_OVERPROVISIONING_PERCENT,
};

/** Throws `ConfigProblem` for an address that cannot be dialled, and for what is not done. */
export function compileAssignment({
  endpoints,
  policy,
}: ClusterLoadAssignment): CompiledAssignment {
  const localities = endpoints.map((locality, i) => {
    const path = `endpoints[${i}]`;
    if (locality.priority > MAX_PRIORITY)
      throw new ConfigProblem(`${path}.priority`, `is above ${MAX_PRIORITY}`);
    return {
      priority: locality.priority,
      weight: locality.loadBalancingWeight ?? 0,
      endpoints: locality.lbEndpoints.map((endpoint, j) =>
        compileEndpoint(endpoint, `${path}.lb_endpoints[${j}]`),
      ),
    };
  });
  return {
    localities,
    overprovisioningPercent: policy?.overprovisioningFactor ?? DEFAULT_OVERPROVISIONING_PERCENT,
  };
}

function compileEndpoint(endpoint: LbEndpoint, path: string): EndpointSpec {
  const metadata = endpoint.metadata?.filterMetadata ?? {};
  const { healthStatus, loadBalancingWeight: weight } = endpoint;
  if (healthStatus === HealthStatus.DEGRADED)
    throw new ConfigProblem(`${path}.health_status`, 'DEGRADED is not supported');
  if (weight === 0) throw new ConfigProblem(`${path}.load_balancing_weight`, 'is 0');
  const address = readAddress(endpoint.hostIdentifier.value, metadata, path);
  const key = metadata['envoy.lb']?.hash_key;
  return {
    address,
    hashKey: typeof key === 'string' ? key : addressText(endpoint.hostIdentifier.value, address),
    isHealthy: healthStatus === HealthStatus.UNKNOWN || healthStatus === HealthStatus.HEALTHY,
    weight: weight ?? 1,
    metadata: readMetadata(metadata.istio),
    socketLabels: metadata['envoy.transport_socket_match'] ?? {},
  };
}

function readAddress(
  endpoint: Endpoint | undefined,
  metadata: Readonly<Record<string, JsonObject>>,
  path: string,
): HostAddress {
  const { address: { address } = {}, additionalAddresses = [] } = endpoint ?? {};
  if (address?.case === 'socketAddress') {
    return socketAddress(address.value, additionalAddresses, path);
  }
  if (address?.case === 'envoyInternalAddress') {
    const local = metadata['envoy.filters.listener.original_dst']?.local;
    const target = typeof local === 'string' ? parseAuthority(local) : null;
    if (target?.kind !== 'address')
      throw new ConfigProblem(path, 'internal address without a tunnel destination');
    return { kind: 'hbone', ip: target.ip, port: target.port };
  }
  throw new ConfigProblem(path, 'address of a kind that is not supported');
}

function socketAddress(
  { address: ip, portSpecifier }: SocketAddress,
  further: readonly Endpoint_AdditionalAddress[],
  path: string,
): HostAddress {
  if (portSpecifier.case !== 'portValue') throw new ConfigProblem(path, 'has no port');
  const alternatives = further.map(({ address }, i) =>
    furtherAddress(address?.address, `${path}.additional_addresses[${i}]`),
  );
  const port = portSpecifier.value;
  return { kind: 'plain', ip, port, ...(alternatives.length > 0 && { alternatives }) };
}

/** One that has the port of the first. */
function furtherAddress(address: Address['address'] | undefined, path: string): string {
  if (address?.case !== 'socketAddress') throw new ConfigProblem(path, 'is no socket address');
  return address.value.address;
}

/** As Envoy writes it. */
function addressText(endpoint: Endpoint | undefined, { ip, port }: HostAddress): string {
  const address = endpoint?.address?.address;
  if (address?.case !== 'envoyInternalAddress') return formatSocketAddress({ ip, port });
  const { addressNameSpecifier, endpointId } = address.value;
  return `envoy://${addressNameSpecifier.value ?? ''}/${endpointId}`;
}

/** `workload;namespace;canonical name;revision;cluster`. */
function readMetadata(istio: JsonObject | undefined): HostMetadata | null {
  if (typeof istio?.workload !== 'string') return null;
  const [workload = '', namespace = '', canonicalName = '', canonicalRevision = '', cluster = ''] =
    istio.workload.split(';');
  return { workload, namespace, canonicalName, canonicalRevision, cluster };
}
