import type {
  Authorization,
  AuthorizationMatch,
  Cidr,
  GatewayAddress,
  Service,
  ServicePort,
  StringMatch,
  Workload,
} from '@aquifer/model';

/**
 * The objects of ztunnel's `/config_dump` (spec ztunnel 9.3), as `istioctl ztunnel-config` and Kiali read them.
 * Fields marked optional are left out when empty.
 */
export interface DumpedGateway {
  readonly destination: string;
  readonly hboneMtlsPort: number;
}

export interface DumpedWorkload {
  readonly uid: string;
  readonly name: string;
  readonly namespace: string;
  readonly workloadIps: readonly string[];
  readonly protocol: 'TCP' | 'HBONE';
  readonly networkMode: 'Standard' | 'HostNetwork';
  readonly trustDomain: string;
  readonly serviceAccount: string;
  readonly status: 'Healthy' | 'Unhealthy';
  readonly clusterId: string;
  readonly capacity: number;
  readonly node?: string;
  readonly waypoint?: DumpedGateway;
  readonly [field: string]: unknown;
}

export interface DumpedService {
  readonly name: string;
  readonly namespace: string;
  readonly hostname: string;
  readonly vips: readonly string[];
  readonly ports: Readonly<Record<string, number>>;
  readonly endpoints: Readonly<Record<string, DumpedEndpoint>>;
  readonly subjectAltNames: readonly string[];
  readonly waypoint?: DumpedGateway;
  readonly [field: string]: unknown;
}

export interface DumpedEndpoint {
  readonly workloadUid: string;
  readonly port: Readonly<Record<string, number>>;
  readonly status: 'Healthy' | 'Unhealthy';
}

export interface DumpedPolicy {
  readonly name: string;
  readonly namespace: string;
  readonly scope: 'Global' | 'Namespace' | 'WorkloadSelector';
  readonly action: 'Allow' | 'Deny';
  readonly rules: readonly (readonly (readonly object[])[])[];
  readonly dryRun: boolean;
}

export interface DumpedCertificate {
  /** Base64 of the PEM text. */
  readonly pem: string;
  /** Decimal. */
  readonly serialNumber: string;
  /** RFC 3339 with seconds, UTC. */
  readonly validFrom: string;
  readonly expirationTime: string;
}

export interface DumpedIdentity {
  readonly identity: string;
  /** `Initializing`, `Available` or `Unavailable: <error>`. */
  readonly state: string;
  readonly certChain: readonly DumpedCertificate[];
  readonly rootCerts: readonly DumpedCertificate[];
}

export interface ConfigDump {
  readonly workloads: readonly DumpedWorkload[];
  readonly services: readonly DumpedService[];
  readonly policies: readonly DumpedPolicy[];
  readonly certificates: readonly DumpedIdentity[];
  readonly workloadState: Readonly<Record<string, unknown>>;
  readonly config: Readonly<Record<string, unknown>>;
  readonly version: Readonly<Record<string, unknown>>;
}

export function describeWorkload(workload: Workload): DumpedWorkload {
  const { waypoint, networkGateway, applicationTunnel, locality } = workload;
  return {
    uid: workload.uid,
    name: workload.name,
    namespace: workload.namespace,
    workloadIps: workload.addresses,
    protocol: workload.protocol === 'hbone' ? 'HBONE' : 'TCP',
    networkMode: workload.networkMode === 'standard' ? 'Standard' : 'HostNetwork',
    trustDomain: workload.trustDomain,
    serviceAccount: workload.serviceAccount,
    status: health(workload.status),
    clusterId: workload.clusterId,
    capacity: workload.capacity,
    ...nonEmpty({
      network: workload.network,
      workloadName: workload.workloadName,
      workloadType: workload.workloadType,
      canonicalName: workload.canonicalName,
      canonicalRevision: workload.canonicalRevision,
      hostname: workload.hostname,
      node: workload.node,
      nativeTunnel: workload.nativeTunnel,
      authorizationPolicies: workload.authorizationPolicies,
      services: [...workload.services.keys()].toSorted(),
    }),
    ...(waypoint && { waypoint: describeGateway(waypoint) }),
    ...(networkGateway && { networkGateway: describeGateway(networkGateway) }),
    ...(applicationTunnel && {
      applicationTunnel: {
        protocol: applicationTunnel.protocol.toUpperCase(),
        port: applicationTunnel.port || null,
      },
    }),
    ...(locality && { locality }),
  };
}

export function describeService(
  service: Service,
  /** By the uid of the workload. */
  endpoints: Readonly<Record<string, DumpedEndpoint>>,
): DumpedService {
  const { waypoint, loadBalancing } = service;
  const single = service.addresses.filter(({ prefixLength }) => prefixLength === null);
  const ranges = service.addresses.filter(({ prefixLength }) => prefixLength !== null);
  return {
    name: service.name,
    namespace: service.namespace,
    hostname: service.hostname,
    vips: single.map(({ network, address }) => `${network}/${address}`),
    ports: describePorts(service.ports),
    endpoints,
    subjectAltNames: service.subjectAltNames,
    canonical: service.canonical,
    visibility: service.visibility === 'public' ? 'Public' : 'Namespace',
    ...nonEmpty({
      cidrVips: ranges.map(({ network, address, prefixLength }) => ({
        network,
        cidr: `${address}/${prefixLength}`,
      })),
      weightedWaypoints: service.weightedWaypoints.map(({ destination, weight }) => ({
        destination: describeGateway(destination),
        weight,
      })),
    }),
    ...(waypoint && { waypoint: describeGateway(waypoint) }),
    ...(loadBalancing && { loadBalancer: describeLoadBalancing(loadBalancing) }),
    ...ipFamilies(service.ipFamilies),
  };
}

export function describePolicy(policy: Authorization): DumpedPolicy {
  const scopes = {
    global: 'Global',
    namespace: 'Namespace',
    'workload-selector': 'WorkloadSelector',
  } as const;
  return {
    name: policy.name,
    namespace: policy.namespace,
    scope: scopes[policy.scope],
    action: policy.action === 'allow' ? 'Allow' : 'Deny',
    rules: policy.groups.map((rules) => rules.map((matches) => matches.map(describeMatch))),
    dryRun: policy.dryRun,
  };
}

/** `network/ip` or `namespace/hostname`. */
function describeGateway({ destination, hboneMtlsPort }: GatewayAddress): DumpedGateway {
  const text =
    destination.kind === 'address'
      ? `${destination.network}/${destination.address}`
      : `${destination.namespace}/${destination.hostname}`;
  return { destination: text, hboneMtlsPort };
}

/** A workload as an endpoint of one of its services. */
export function describeEndpoint(
  { uid, services, status }: Workload,
  serviceKey: string,
): DumpedEndpoint {
  const port = describePorts(services.get(serviceKey) ?? []);
  return { workloadUid: uid, port, status: health(status) };
}

function describePorts(ports: readonly ServicePort[]): Record<string, number> {
  return Object.fromEntries(ports.map(({ servicePort, targetPort }) => [servicePort, targetPort]));
}

function describeLoadBalancing(from: NonNullable<Service['loadBalancing']>): object {
  return {
    routingPreferences: from.routingPreference.map(capitalise),
    mode: capitalise(from.mode),
    healthPolicy: from.healthPolicy === 'allow-all' ? 'AllowAll' : 'OnlyHealthy',
  };
}

function ipFamilies(families: Service['ipFamilies']): { ipFamilies?: string } {
  const words = {
    automatic: null,
    dual: 'Dual',
    'ipv4-only': 'IPv4',
    'ipv6-only': 'IPv6',
  } as const;
  const word = words[families];
  return word === null ? {} : { ipFamilies: word };
}

function describeMatch(match: AuthorizationMatch): object {
  const strings = (patterns: readonly StringMatch[]) => patterns.map(describeString);
  const ranges = (cidrs: readonly Cidr[]) =>
    cidrs.map(({ address, prefixLength }) => `${address}/${prefixLength}`);
  return nonEmpty({
    namespaces: strings(match.namespaces),
    notNamespaces: strings(match.notNamespaces),
    serviceAccounts: match.serviceAccounts,
    notServiceAccounts: match.notServiceAccounts,
    principals: strings(match.principals),
    notPrincipals: strings(match.notPrincipals),
    sourceIps: ranges(match.sourceIps),
    notSourceIps: ranges(match.notSourceIps),
    destinationIps: ranges(match.destinationIps),
    notDestinationIps: ranges(match.notDestinationIps),
    destinationPorts: match.destinationPorts,
    notDestinationPorts: match.notDestinationPorts,
  });
}

function describeString(match: StringMatch): object {
  return match.kind === 'presence' ? { Presence: [] } : { [capitalise(match.kind)]: match.value };
}

function health(status: Workload['status']): 'Healthy' | 'Unhealthy' {
  return status === 'healthy' ? 'Healthy' : 'Unhealthy';
}

function capitalise(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

function nonEmpty(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).filter(
      ([, value]) =>
        value !== '' && value !== false && !(Array.isArray(value) && value.length === 0),
    ),
  );
}
