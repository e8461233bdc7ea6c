/** ServiceEntries as services of the mesh, one for each host (spec control-plane 2.5). */

import { type Cidr, formatIpAddress, parseCidr, parseIpAddress } from '@aquifer/model';
import { selects } from '@aquifer/model/kubernetes';
import type { ServiceEntry } from '@aquifer/model/resources';
import { isEmptyMap } from './label-maps.ts';
import { AUTOALLOCATE_LABEL, TRAFFIC_DISTRIBUTION_ANNOTATION } from './labels.ts';
import type { Installation } from './mesh.ts';
import type { Visibility, VisibilityRules } from './mesh-config.ts';
import {
  type MeshService,
  meaningOf,
  namespacesOf,
  type Resolution,
  type VirtualAddress,
} from './mesh-service.ts';
import { annotationsOf, labelsOf, namespaceOf } from './object.ts';
import type { MeshPort } from './ports.ts';
import { protocolNamed } from './protocol.ts';

type EntrySpec = NonNullable<ServiceEntry['spec']>;

const RESOLUTIONS: Readonly<Record<NonNullable<EntrySpec['resolution']>, Resolution>> = {
  NONE: 'none',
  STATIC: 'workloads',
  DNS: 'dns',
  DNS_ROUND_ROBIN: 'dns-round-robin',
  DYNAMIC_DNS: 'dynamic-dns',
};

/** As without one, where the name is of none. */
function resolutionNamed(name: keyof typeof RESOLUTIONS): Resolution {
  return Object.hasOwn(RESOLUTIONS, name) ? RESOLUTIONS[name] : RESOLUTIONS.NONE;
}

/** None of an entry that nobody may look up. */
export function servicesOfEntry(
  entry: ServiceEntry,
  { clusterId }: Pick<Installation, 'clusterId'>,
  visibility: Visibility,
): MeshService[] {
  const { spec } = entry;
  if (spec === undefined || visibility === 'NONE') return [];
  const {
    resolution = 'NONE',
    workloadSelector,
    subjectAltNames = [],
    location,
    exportTo = [],
  } = spec;
  const selector = workloadSelector?.labels;
  const common = {
    kind: 'ServiceEntry',
    metadata: meaningOf(entry),
    clusterId,
    ports: portsOfEntry(spec),
    resolution: resolutionNamed(resolution),
    location: location === 'MESH_INTERNAL' ? 'internal' : 'external',
    selector: selector === undefined || isEmptyMap(selector) ? null : selector,
    subjectAltNames,
    visibility: visibility === 'NAMESPACE' ? 'namespace' : 'public',
    exportTo: namespacesOf(exportTo, namespaceOf(entry)),
    trafficDistribution: annotationsOf(entry)[TRAFFIC_DISTRIBUTION_ANNOTATION] ?? '',
    isNodeLocal: false,
    includesNotReady: resolution === 'NONE',
    ipFamilies: 'automatic',
  } as const;
  return hostsOf(entry).map((hostname) => ({
    ...common,
    hostname,
    addresses: addressesOf(entry, hostname),
  }));
}

/** Each once, in the order of the entry. */
export function hostsOf({ spec }: ServiceEntry): readonly string[] {
  return [...new Set(spec?.hosts)];
}

function portsOfEntry({ ports = [] }: EntrySpec): MeshPort[] {
  return ports.map(({ number, name, protocol = '', targetPort }) => ({
    number,
    name,
    transport: 'TCP',
    protocol: protocolNamed(protocol),
    target: targetPort ?? number,
  }));
}

/** Those that the entry names; else those that its host was given (`autoAllocates`). */
function addressesOf(entry: ServiceEntry, hostname: string): VirtualAddress[] {
  const { addresses = [] } = entry.spec ?? {};
  const texts = autoAllocates(entry, hostname) ? allocatedTo(entry, hostname) : addresses;
  return texts.flatMap((text) => virtualAddress(text) ?? []);
}

/** In the order of the status. */
export function allocatedTo({ status }: ServiceEntry, hostname: string): string[] {
  const addresses = status?.addresses ?? [];
  return addresses.flatMap(({ host, value }) => (host === hostname && value ? [value] : []));
}

/**
 * Whether the host is given addresses if it has none: not where connections go where they were going, nor to a wildcard,
 * unless each name of it is resolved when it is asked for.
 */
export function autoAllocates(entry: ServiceEntry, hostname: string): boolean {
  const { addresses = [], resolution = 'NONE' } = entry.spec ?? {};
  if (labelsOf(entry)[AUTOALLOCATE_LABEL]?.toLowerCase() === 'false') return false;
  if (addresses.length > 0 || resolution === 'NONE') return false;
  return !isWildcard(hostname) || resolution === 'DYNAMIC_DNS';
}

export function isWildcard(hostname: string): boolean {
  return hostname.startsWith('*');
}

/** Null for what is no address and no range. The bits of a range that do not count are zero. */
function virtualAddress(text: string): VirtualAddress | null {
  const range = parseCidr(text);
  const bytes = range && parseIpAddress(range.address);
  if (range === null || bytes === null) return null;
  const { prefixLength } = range;
  if (prefixLength === bytes.length * 8) return { address: range.address, prefixLength: null };
  return { address: formatIpAddress(masked(bytes, prefixLength)) ?? '', prefixLength };
}

function masked(bytes: Uint8Array, prefixLength: Cidr['prefixLength']): Uint8Array {
  return bytes.map((byte, index) => {
    const bits = Math.min(Math.max(prefixLength - 8 * index, 0), 8);
    return byte & (0xff << (8 - bits));
  });
}

/** Of the entries of a namespace; as recorded, without rules everything is public. */
export function visibilityIn(
  namespaceLabels: Readonly<Record<string, string>>,
  rules: VisibilityRules | null,
): Visibility {
  const policy = rules?.policies.find(({ namespaceSelectors }) =>
    namespaceSelectors.some((selector) => selects(selector, namespaceLabels)),
  );
  return policy?.visibility ?? rules?.defaultVisibility ?? 'PUBLIC';
}
