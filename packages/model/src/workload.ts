import type { Cidr } from './ip-address.ts';

/** An address and the network it is valid in; the default network is the empty string. */
export interface NetworkAddress {
  readonly network: string;
  readonly address: string;
}

/** A service hostname and the namespace that owns it. */
export interface NamespacedHostname {
  readonly namespace: string;
  readonly hostname: string;
}

/** Where a waypoint or a network gateway is reached. */
export interface GatewayAddress {
  readonly destination:
    | ({ readonly kind: 'address' } & NetworkAddress)
    | ({ readonly kind: 'hostname' } & NamespacedHostname);
  readonly hboneMtlsPort: number;
}

export type AppProtocol = 'unknown' | 'http11' | 'http2' | 'grpc' | 'tcp' | 'tls';

/** `targetPort` 0 means: named, each endpoint carries its own mapping. */
export interface ServicePort {
  readonly servicePort: number;
  readonly targetPort: number;
  readonly appProtocol: AppProtocol;
}

export interface Locality {
  readonly region: string;
  readonly zone: string;
  readonly subzone: string;
}

/** How a sandwiched proxy wants its traffic; `port` 0 means the resolved port. */
export interface ApplicationTunnel {
  readonly protocol: 'none' | 'proxy';
  readonly port: number;
}

/** One running instance with addresses and an identity (spec control-plane 2.2, Workload). */
export interface Workload {
  readonly uid: string;
  readonly name: string;
  readonly namespace: string;
  readonly addresses: readonly string[];
  readonly hostname: string;
  readonly network: string;
  readonly protocol: 'tcp' | 'hbone';
  readonly trustDomain: string;
  readonly serviceAccount: string;
  readonly waypoint: GatewayAddress | null;
  readonly networkGateway: GatewayAddress | null;
  readonly node: string;
  readonly canonicalName: string;
  readonly canonicalRevision: string;
  readonly workloadType: 'deployment' | 'cronjob' | 'pod' | 'job';
  readonly workloadName: string;
  readonly nativeTunnel: boolean;
  readonly applicationTunnel: ApplicationTunnel | null;
  /** Keyed by `namespace/hostname` of the service. */
  readonly services: ReadonlyMap<string, readonly ServicePort[]>;
  /** `namespace/name` of the policies that select this workload. */
  readonly authorizationPolicies: readonly string[];
  readonly status: 'healthy' | 'unhealthy';
  readonly clusterId: string;
  readonly locality: Locality | null;
  readonly networkMode: 'standard' | 'host-network';
  /** Relative weight in load balancing; 0 is never chosen. Default 1. */
  readonly capacity: number;
}

/** A virtual address of a service; `prefixLength` is null for a single address. */
export interface ServiceAddress extends NetworkAddress {
  readonly prefixLength: number | null;
}

export type RoutingScope = 'region' | 'zone' | 'subzone' | 'node' | 'cluster' | 'network';

export interface LoadBalancing {
  readonly routingPreference: readonly RoutingScope[];
  readonly mode: 'standard' | 'strict' | 'failover' | 'passthrough';
  readonly healthPolicy: 'only-healthy' | 'allow-all';
}

export interface WeightedWaypoint {
  readonly destination: GatewayAddress;
  readonly weight: number;
}

/** A named set of virtual addresses and ports (spec control-plane 2.2, Service). */
export interface Service {
  readonly name: string;
  readonly namespace: string;
  readonly hostname: string;
  readonly addresses: readonly ServiceAddress[];
  readonly ports: readonly ServicePort[];
  readonly subjectAltNames: readonly string[];
  readonly waypoint: GatewayAddress | null;
  readonly weightedWaypoints: readonly WeightedWaypoint[];
  readonly loadBalancing: LoadBalancing | null;
  readonly ipFamilies: 'automatic' | 'ipv4-only' | 'ipv6-only' | 'dual';
  readonly canonical: boolean;
  readonly ingressUseWaypoint: boolean;
  readonly visibility: 'public' | 'namespace';
}

/** `namespace/hostname`: the key of a service everywhere. */
export function serviceKey(service: NamespacedHostname): string {
  return `${service.namespace}/${service.hostname}`;
}

export type StringMatch =
  | { readonly kind: 'exact' | 'prefix' | 'suffix'; readonly value: string }
  | { readonly kind: 'presence' };

export interface ServiceAccountMatch {
  readonly namespace: string;
  readonly serviceAccount: string;
}

/** Conditions on one connection: each non-empty field must hold, one hit per field is enough (spec ztunnel 5.9). */
export interface AuthorizationMatch {
  readonly namespaces: readonly StringMatch[];
  readonly notNamespaces: readonly StringMatch[];
  readonly principals: readonly StringMatch[];
  readonly notPrincipals: readonly StringMatch[];
  readonly serviceAccounts: readonly ServiceAccountMatch[];
  readonly notServiceAccounts: readonly ServiceAccountMatch[];
  readonly sourceIps: readonly Cidr[];
  readonly notSourceIps: readonly Cidr[];
  readonly destinationIps: readonly Cidr[];
  readonly notDestinationIps: readonly Cidr[];
  readonly destinationPorts: readonly number[];
  readonly notDestinationPorts: readonly number[];
}

/** A match without conditions; at ztunnel it never matches. */
export const EMPTY_MATCH: AuthorizationMatch = {
  namespaces: [],
  notNamespaces: [],
  principals: [],
  notPrincipals: [],
  serviceAccounts: [],
  notServiceAccounts: [],
  sourceIps: [],
  notSourceIps: [],
  destinationIps: [],
  notDestinationIps: [],
  destinationPorts: [],
  notDestinationPorts: [],
};

/** OR over groups, AND over the rules of a group, OR over the matches of a rule. */
export interface Authorization {
  readonly name: string;
  readonly namespace: string;
  readonly scope: 'global' | 'namespace' | 'workload-selector';
  readonly action: 'allow' | 'deny';
  readonly groups: readonly (readonly (readonly AuthorizationMatch[])[])[];
  readonly dryRun: boolean;
}
