/** Gateways of class `istio-remote`: the ways into other networks (spec control-plane 10.2, recording wds/29). */
import { canonicalIpAddress, type GatewayAddress, type Workload } from '@aquifer/model';
import type { Gateway } from '@aquifer/model/resources';
import { NETWORK_LABEL, SERVICE_ACCOUNT_ANNOTATION } from './labels.ts';
import type { MeshSettings } from './mesh.ts';
import { annotationsOf, labelsOf, nameOf, namespaceOf, refTo } from './object.ts';
import { type WorkloadResource, workloadResource } from './resource.ts';

/** Gateways of this class describe what runs elsewhere. */
export const REMOTE_CLASS = 'istio-remote';

/** One address of such a Gateway. */
export interface NetworkGateway {
  readonly network: string;
  readonly address: GatewayAddress;
  /** As a workload that node proxies dial. */
  readonly resource: WorkloadResource;
}

/** One for each address of its status; none of a Gateway that names no network, or has no HBONE listener. */
export function deriveNetworkGateways(gateway: Gateway, mesh: MeshSettings): NetworkGateway[] {
  const { gatewayClassName, listeners } = gateway.spec;
  const network = labelsOf(gateway)[NETWORK_LABEL] ?? '';
  const listener = listeners.find(({ protocol }) => protocol === 'HBONE');
  if (gatewayClassName !== REMOTE_CLASS || network === '' || listener === undefined) return [];
  return (gateway.status?.addresses ?? []).flatMap(({ type = 'IPAddress', value = '' }) => {
    const ip = type === 'IPAddress' ? canonicalIpAddress(value) : null;
    if (ip === null && type !== 'Hostname') return [];
    const uid = `NetworkGateway/${network}/${ip ?? value}/${listener.port}`;
    const workload: Workload = {
      ...NO_WORKLOAD,
      uid,
      name: uid,
      namespace: namespaceOf(gateway),
      addresses: ip === null ? [] : [ip],
      hostname: ip === null ? value : '',
      network,
      trustDomain: mesh.trustDomain,
      serviceAccount:
        annotationsOf(gateway)[SERVICE_ACCOUNT_ANNOTATION] ?? `${nameOf(gateway)}-${REMOTE_CLASS}`,
    };
    const destination =
      ip === null
        ? ({ kind: 'hostname', namespace: namespaceOf(gateway), hostname: value } as const)
        : ({ kind: 'address', network, address: ip } as const);
    const address = { destination, hboneMtlsPort: listener.port };
    return [{ network, address, resource: workloadResource(workload, [refTo(gateway)]) }];
  });
}

/** What is not known of a gateway that runs elsewhere. */
const NO_WORKLOAD = {
  protocol: 'tcp',
  waypoint: null,
  networkGateway: null,
  node: '',
  canonicalName: '',
  canonicalRevision: '',
  workloadType: 'deployment',
  workloadName: '',
  nativeTunnel: false,
  applicationTunnel: null,
  services: new Map(),
  authorizationPolicies: [],
  status: 'healthy',
  clusterId: '',
  locality: null,
  networkMode: 'standard',
  capacity: 1,
} as const;
