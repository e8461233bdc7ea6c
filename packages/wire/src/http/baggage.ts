import type { Workload } from '@aquifer/model';

/** What a peer says about itself in the `baggage` header (spec ztunnel 2.5). Unknown members are ignored. */
export interface Baggage {
  readonly clusterId: string | null;
  readonly namespace: string | null;
  readonly workloadType: string | null;
  readonly workloadName: string | null;
  readonly serviceName: string | null;
  readonly revision: string | null;
  readonly region: string | null;
  readonly zone: string | null;
}

/** Workloads are replaced when they change, and one says the same on every connection. */
const encoded = new WeakMap<Workload, string>();

/** Members in their fixed order, comma-joined without spaces, empty ones left out. */
export function encodeBaggage(workload: Workload): string {
  const known = encoded.get(workload);
  if (known !== undefined) return known;
  const baggage = joinMembers(workload);
  encoded.set(workload, baggage);
  return baggage;
}

function joinMembers(workload: Workload): string {
  const members: readonly [string, string][] = [
    ['k8s.cluster.name', workload.clusterId],
    ['k8s.namespace.name', workload.namespace],
    [`k8s.${workload.workloadType}.name`, workload.workloadName],
    ['service.name', workload.canonicalName],
    ['service.version', workload.canonicalRevision],
    ['cloud.region', workload.locality?.region ?? ''],
    ['cloud.availability_zone', workload.locality?.zone ?? ''],
  ];
  return members
    .filter(([, value]) => value !== '')
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
}

const FIELDS: ReadonlyMap<string, keyof Baggage> = new Map([
  ['k8s.cluster.name', 'clusterId'],
  ['k8s.namespace.name', 'namespace'],
  ['k8s.deployment.name', 'workloadName'],
  ['k8s.cronjob.name', 'workloadName'],
  ['k8s.pod.name', 'workloadName'],
  ['k8s.job.name', 'workloadName'],
  ['service.name', 'serviceName'],
  ['service.version', 'revision'],
  ['cloud.region', 'region'],
  ['cloud.availability_zone', 'zone'],
]);

/** More than the seven members with the longest names that Kubernetes allows. */
const MAX_CHARS = 2048;
const PRINTABLE = /^[\x20-\x7e]*$/;

/** Later members win; an empty value counts as unset. A header that is too long, or not ASCII, says nothing. */
export function decodeBaggage(header: string): Baggage {
  const baggage: Record<keyof Baggage, string | null> = {
    clusterId: null,
    namespace: null,
    workloadType: null,
    workloadName: null,
    serviceName: null,
    revision: null,
    region: null,
    zone: null,
  };
  if (header.length > MAX_CHARS || !PRINTABLE.test(header)) return baggage;
  for (const member of header.split(',')) {
    const separator = member.indexOf('=');
    if (separator < 0) continue;
    const key = member.slice(0, separator);
    const value = member.slice(separator + 1) || null;
    const field = FIELDS.get(key);
    if (field === undefined) continue;
    baggage[field] = value;
    if (field === 'workloadName') baggage.workloadType = key.split('.')[1] ?? null;
  }
  return baggage;
}
