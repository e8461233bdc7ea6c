import type { Result, ServicePort, Workload } from '@aquifer/model';
import { err, formatIpAddress, ok, parseIpAddress } from '@aquifer/model';
import { create } from '@bufbuild/protobuf';
import {
  ApplicationTunnel_Protocol as ApplicationTunnelProtocol,
  NetworkMode,
  type Port as PbPort,
  type Workload as PbWorkload,
  PortSchema,
  TunnelProtocol,
  WorkloadSchema,
  WorkloadStatus,
} from '../gen/istio/workload_pb.ts';
import { APP_PROTOCOL, WORKLOAD_TYPE } from './enums.ts';
import { decodeGatewayAddress, encodeGatewayAddress, malformedAddress } from './gateway-address.ts';

const DEFAULT_TRUST_DOMAIN = 'cluster.local';

/** The model as WDS carries it: the default trust domain is elided (spec control-plane 2.3). */
export function encodeWorkload(workload: Workload): PbWorkload {
  const { waypoint, networkGateway, applicationTunnel, locality, capacity } = workload;
  return create(WorkloadSchema, {
    ...plainFields(workload),
    addresses: workload.addresses.map((address) => parseIpAddress(address) ?? new Uint8Array()),
    tunnelProtocol: workload.protocol === 'hbone' ? TunnelProtocol.HBONE : TunnelProtocol.NONE,
    trustDomain: workload.trustDomain === DEFAULT_TRUST_DOMAIN ? '' : workload.trustDomain,
    workloadType: WORKLOAD_TYPE.encode[workload.workloadType],
    services: encodeServices(workload.services),
    status: workload.status === 'healthy' ? WorkloadStatus.HEALTHY : WorkloadStatus.UNHEALTHY,
    networkMode:
      workload.networkMode === 'standard' ? NetworkMode.STANDARD : NetworkMode.HOST_NETWORK,
    ...(waypoint && { waypoint: encodeGatewayAddress(waypoint) }),
    ...(networkGateway && { networkGateway: encodeGatewayAddress(networkGateway) }),
    ...(applicationTunnel && { applicationTunnel: encodeTunnel(applicationTunnel) }),
    ...(locality && { locality: { ...locality } }),
    ...(capacity !== 1 && { capacity }),
  });
}

/** Applies WDS's defaults; a malformed address, an unsupported tunnel or a bad service key refuses the resource. */
export function decodeWorkload(message: PbWorkload): Result<Workload, string> {
  const addresses = decodeAddresses(message.addresses);
  if (!addresses.ok) return addresses;
  const waypoint = decodeGatewayAddress(message.waypoint);
  if (!waypoint.ok) return waypoint;
  const networkGateway = decodeGatewayAddress(message.networkGateway);
  if (!networkGateway.ok) return networkGateway;
  const services = decodeServices(message.services);
  if (!services.ok) return services;
  const protocol = decodeProtocol(message.tunnelProtocol);
  if (!protocol.ok) return protocol;
  return ok({
    ...plainFields(message),
    ...defaultedFields(message),
    addresses: addresses.value,
    protocol: protocol.value,
    waypoint: waypoint.value,
    networkGateway: networkGateway.value,
    workloadType: WORKLOAD_TYPE.decode(message.workloadType) ?? 'deployment',
    applicationTunnel: decodeTunnel(message.applicationTunnel),
    services: services.value,
    status: message.status === WorkloadStatus.HEALTHY ? 'healthy' : 'unhealthy',
    locality: decodeLocality(message.locality),
    networkMode: message.networkMode === NetworkMode.HOST_NETWORK ? 'host-network' : 'standard',
  });
}

function defaultedFields(message: PbWorkload) {
  return {
    trustDomain: message.trustDomain || DEFAULT_TRUST_DOMAIN,
    serviceAccount: message.serviceAccount || 'default',
    clusterId: message.clusterId || 'Kubernetes',
    capacity: message.capacity ?? 1,
  };
}

function decodeAddresses(messages: readonly Uint8Array[]): Result<string[], string> {
  const addresses: string[] = [];
  for (const bytes of messages) {
    const address = formatIpAddress(bytes);
    if (address === null) return err(malformedAddress(bytes));
    addresses.push(address);
  }
  return ok(addresses);
}

function decodeProtocol(protocol: TunnelProtocol): Result<Workload['protocol'], string> {
  if (protocol === TunnelProtocol.NONE) return ok('tcp');
  if (protocol === TunnelProtocol.HBONE) return ok('hbone');
  return err(`unsupported tunnel protocol ${protocol}`);
}

/** The fields that read the same on both sides. */
function plainFields(
  from: Pick<Workload, PlainField>,
): Pick<Workload, PlainField> & { authorizationPolicies: string[] } {
  return {
    uid: from.uid,
    name: from.name,
    namespace: from.namespace,
    hostname: from.hostname,
    network: from.network,
    serviceAccount: from.serviceAccount,
    node: from.node,
    canonicalName: from.canonicalName,
    canonicalRevision: from.canonicalRevision,
    workloadName: from.workloadName,
    nativeTunnel: from.nativeTunnel,
    authorizationPolicies: [...from.authorizationPolicies],
    clusterId: from.clusterId,
  };
}

type PlainField =
  | 'uid'
  | 'name'
  | 'namespace'
  | 'hostname'
  | 'network'
  | 'serviceAccount'
  | 'node'
  | 'canonicalName'
  | 'canonicalRevision'
  | 'workloadName'
  | 'nativeTunnel'
  | 'authorizationPolicies'
  | 'clusterId';

function decodeLocality(locality: PbWorkload['locality']): Workload['locality'] {
  if (locality === undefined) return null;
  return { region: locality.region, zone: locality.zone, subzone: locality.subzone };
}

function encodeTunnel(tunnel: NonNullable<Workload['applicationTunnel']>) {
  const { PROXY, NONE } = ApplicationTunnelProtocol;
  return { protocol: tunnel.protocol === 'proxy' ? PROXY : NONE, port: tunnel.port };
}

function decodeTunnel(tunnel: PbWorkload['applicationTunnel']): Workload['applicationTunnel'] {
  if (tunnel === undefined) return null;
  const isProxy = tunnel.protocol === ApplicationTunnelProtocol.PROXY;
  return { protocol: isProxy ? 'proxy' : 'none', port: tunnel.port };
}

function encodeServices(services: Workload['services']): Record<string, { ports: PbPort[] }> {
  const encoded: Record<string, { ports: PbPort[] }> = {};
  for (const key of [...services.keys()].toSorted()) {
    encoded[key] = { ports: services.get(key)!.map(encodePort) };
  }
  return encoded;
}

function decodeServices(
  services: PbWorkload['services'],
): Result<ReadonlyMap<string, readonly ServicePort[]>, string> {
  const decoded = new Map<string, readonly ServicePort[]>();
  for (const [key, { ports }] of Object.entries(services)) {
    if (!key.includes('/'))
      return err(`service key ${JSON.stringify(key)} is not namespace/hostname`);
    decoded.set(key, ports.map(decodePort));
  }
  return ok(decoded);
}

export function encodePort(port: ServicePort): PbPort {
  return create(PortSchema, { ...port, appProtocol: APP_PROTOCOL.encode[port.appProtocol] });
}

/** Ports keep 16 bits, as upstream (spec ztunnel 5.6). */
export function decodePort(port: PbPort): ServicePort {
  return {
    servicePort: port.servicePort & 0xffff,
    targetPort: port.targetPort & 0xffff,
    appProtocol: APP_PROTOCOL.decode(port.appProtocol) ?? 'unknown',
  };
}
