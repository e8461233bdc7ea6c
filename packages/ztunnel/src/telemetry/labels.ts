import type { Service, Workload } from '@aquifer/model';
import { formatIdentity, type Identity } from '@aquifer/model';

const UNKNOWN = 'unknown';

/** Flags that say how a connection ended, in ztunnel's words (spec ztunnel 9.1). */
export type ResponseFlag =
  | '-'
  | 'DENY'
  | 'CONNECT'
  | 'TLS_FAILURE'
  | 'H2_HANDSHAKE_FAILURE'
  | 'NETWORK_POLICY'
  | 'IDENTITY_ERROR'
  | 'CERT_REVOKED';

/** Traffic labels in the order in which they are exposed; region and zone come last. */
export const TRAFFIC_LABELS = [
  'reporter',
  'source_workload',
  'source_canonical_service',
  'source_canonical_revision',
  'source_workload_namespace',
  'source_principal',
  'source_app',
  'source_version',
  'source_cluster',
  'destination_service',
  'destination_service_namespace',
  'destination_service_name',
  'destination_workload',
  'destination_canonical_service',
  'destination_canonical_revision',
  'destination_workload_namespace',
  'destination_principal',
  'destination_app',
  'destination_version',
  'destination_cluster',
  'request_protocol',
  'response_flags',
  'connection_security_policy',
  'source_region',
  'source_zone',
  'destination_region',
  'destination_zone',
] as const;

/** What is shown of one end of a connection: a workload of the mesh, or what a peer says about itself. */
export type DescribedPeer = Pick<
  Workload,
  | 'name'
  | 'namespace'
  | 'clusterId'
  | 'workloadName'
  | 'canonicalName'
  | 'canonicalRevision'
  | 'locality'
>;

/** What is known about both ends of a connection. */
export interface Peers {
  readonly reporter: 'source' | 'destination';
  readonly source: DescribedPeer | null;
  /** Proven by TLS; null for plaintext. */
  readonly sourceIdentity: Identity | null;
  readonly destination: DescribedPeer | null;
  /** Whose pod the destination is, or who has proven to be it; null if nobody knows. */
  readonly destinationIdentity: Identity | null;
  readonly service: Service | null;
  readonly isMutualTls: boolean;
}

/** Label values in the order of `TRAFFIC_LABELS`; what is missing reads `unknown`. */
export function trafficLabels(peers: Peers, flag: ResponseFlag): string[] {
  const { source, destination, service, sourceIdentity, destinationIdentity } = peers;
  return [
    peers.reporter,
    ...workloadLabels(source, sourceIdentity),
    ...[service?.hostname, service?.namespace, service?.name].map(known),
    ...workloadLabels(destination, destinationIdentity),
    'tcp',
    flag,
    peers.isMutualTls ? 'mutual_tls' : UNKNOWN,
    ...localityLabels(source),
    ...localityLabels(destination),
  ];
}

/**
 * Whether connections that end alike have the same labels, without making any: workloads and services are never
 * changed, only replaced. A client's identity is parsed anew for each of its tunnels.
 */
export function haveSameLabels(a: Peers, b: Peers): boolean {
  return (
    a.reporter === b.reporter &&
    a.source === b.source &&
    a.destination === b.destination &&
    a.service === b.service &&
    a.isMutualTls === b.isMutualTls &&
    isSameIdentity(a.sourceIdentity, b.sourceIdentity) &&
    isSameIdentity(a.destinationIdentity, b.destinationIdentity)
  );
}

function isSameIdentity(a: Identity | null, b: Identity | null): boolean {
  if (a === b) return true;
  if (a === null || b === null) return false;
  return formatIdentity(a) === formatIdentity(b);
}

function localityLabels(workload: DescribedPeer | null): string[] {
  return [known(workload?.locality?.region), known(workload?.locality?.zone)];
}

/** workload, canonical service, canonical revision, namespace, principal, app, version, cluster. */
function workloadLabels(workload: DescribedPeer | null, identity: Identity | null): string[] {
  return [
    known(workload?.workloadName),
    known(workload?.canonicalName),
    known(workload?.canonicalRevision),
    known(workload?.namespace),
    identity === null ? UNKNOWN : formatIdentity(identity),
    known(workload?.canonicalName),
    known(workload?.canonicalRevision),
    known(workload?.clusterId),
  ];
}

function known(value: string | undefined): string {
  return value === undefined || value === '' ? UNKNOWN : value;
}
