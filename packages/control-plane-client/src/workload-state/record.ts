import type { Service, Workload } from '@aquifer/model';
import { serviceKey } from '@aquifer/model';

/** What a record holds. */
export type Address = Workload | Service;

export function isWorkload(address: Address): address is Workload {
  return 'uid' in address;
}

/** What a record is found by; each kind of name has its own prefix. */
export const NAME = {
  workload: (uid: string) => `w:${uid}`,
  /** Of a workload, unless it shares the address with its node. */
  address: (network: string, ip: string) => `a:${network}/${ip}`,
  pod: (namespace: string, name: string) => `p:${namespace}/${name}`,
  /** Of a workload that serves the service. */
  endpoint: (key: string) => `e:${key}`,
  service: (key: string) => `s:${key}`,
  hostname: (hostname: string) => `h:${hostname}`,
  vip: (network: string, ip: string) => `v:${network}/${ip}`,
  /** Of every service with ranges of addresses in the network. */
  ranges: (network: string) => `r:${network}`,
} as const;

/** Every name of a workload or service, once each; its key comes first. */
export function namesOf(address: Address): ReadonlySet<string> {
  return isWorkload(address) ? workloadNames(address) : serviceNames(address);
}

/**
 * Whether a workload stands for a pod, rather than for an entry that somebody wrote: `cluster/group/kind/namespace/name`,
 * where files written by hand have `/v1` for the empty group.
 */
export function isPod({ uid }: Workload): boolean {
  return uid.includes('/Pod/');
}

function workloadNames(workload: Workload): ReadonlySet<string> {
  const names = new Set([NAME.workload(workload.uid)]);
  if (workload.networkMode === 'standard') {
    for (const ip of workload.addresses) names.add(NAME.address(workload.network, ip));
  }
  if (isPod(workload)) names.add(NAME.pod(workload.namespace, workload.name));
  for (const key of workload.services.keys()) names.add(NAME.endpoint(key));
  return names;
}

function serviceNames(service: Service): ReadonlySet<string> {
  const names = new Set([NAME.service(serviceKey(service)), NAME.hostname(service.hostname)]);
  for (const { network, address, prefixLength } of service.addresses) {
    names.add(prefixLength === null ? NAME.vip(network, address) : NAME.ranges(network));
  }
  return names;
}

/** What most workloads and services have is left out of their records: a fifth of the bytes. */
const WORKLOAD_DEFAULTS = {
  hostname: '',
  network: '',
  protocol: 'hbone',
  trustDomain: 'cluster.local',
  waypoint: null,
  networkGateway: null,
  nativeTunnel: false,
  applicationTunnel: null,
  status: 'healthy',
  locality: null,
  networkMode: 'standard',
  capacity: 1,
} as const satisfies Partial<Workload>;
const SERVICE_DEFAULTS = {
  waypoint: null,
  loadBalancing: null,
  ipFamilies: 'automatic',
  ingressUseWaypoint: false,
  visibility: 'public',
} as const satisfies Partial<Service>;

type Ports = Workload['services'] extends ReadonlyMap<string, infer Value> ? Value : never;
type WorkloadRecord = Omit<Workload, 'services'> & {
  readonly services: readonly (readonly [string, Ports])[];
};

/** JSON, because parsing it is native code: 2 µs, where the protobuf message takes 10. */
export function encodeRecord(address: Address): string {
  return isWorkload(address)
    ? encode({ ...address, services: [...address.services] }, WORKLOAD_DEFAULTS)
    : encode(address, SERVICE_DEFAULTS);
}

function encode<T extends object>(value: T, defaults: Partial<T>): string {
  const kept: Partial<T> = {};
  for (const key of Object.keys(value) as (keyof T & string)[]) {
    if (!Object.hasOwn(defaults, key) || defaults[key] !== value[key]) kept[key] = value[key];
  }
  return JSON.stringify(kept);
}

export function decodeRecord(text: string): Address {
  const parsed = JSON.parse(text) as WorkloadRecord | Service;
  if (!('uid' in parsed)) return { ...SERVICE_DEFAULTS, ...parsed };
  return { ...WORKLOAD_DEFAULTS, ...parsed, services: new Map(parsed.services) };
}
