// hot path: where lines, labels or tags are chosen by expressions
/** Attributes of Envoy (Envoy docs "Attributes") of a request or connection that has ended, for expressions. */
import { joinHeader } from '@aquifer/http';
import { type Attributes, durationAttribute } from '@aquifer/model/expressions';
import type { HostMetadata } from '../clusters/host.ts';
import type { SourcePeer } from '../telemetry/source-peer.ts';
import type { AccessRecord } from './access-record.ts';

type Root = (record: AccessRecord) => Attributes;

/** What is there only if it has a value: looking for what is not is an error, which means no. */
type Optional = Readonly<Record<string, unknown>>;

/** By the name that an expression begins with. */
const ROOTS: Readonly<Record<string, Root>> = {
  request: requestOf,
  response: responseOf,
  connection: ({ source: { principal } }) =>
    present({ mtls: principal !== '', uri_san_peer_certificate: principal || null }),
  source: ({ downstreamRemote, source: { principal } }) =>
    present({ ...address(downstreamRemote), principal: principal || null }),
  downstream_peer: ({ source }) => peerOf(source),
  upstream_peer: ({ destination }) => peerOf(destination),
  destination: ({ downstreamLocal }) => address(downstreamLocal),
  upstream: ({ upstreamHost, upstreamFailure }) =>
    present({
      ...(upstreamHost === null ? {} : address(upstreamHost)),
      transport_failure_reason: upstreamFailure,
    }),
  xds: ({ upstreamCluster, routeName }) =>
    present({ cluster_name: upstreamCluster, route_name: said(routeName), listener_direction: 1n }),
  metadata: () => NONE,
  filter_state: () => NONE,
};

const NONE: Attributes = {};

/** Only those that an expression begins with. */
export function attributesOf(record: AccessRecord, roots: ReadonlySet<string>): Attributes {
  const attributes: Record<string, unknown> = {};
  for (const root of roots) {
    if (Object.hasOwn(ROOTS, root)) attributes[root] = ROOTS[root]!(record);
  }
  return attributes;
}

function present(values: Optional): Attributes {
  const entries = Object.entries(values).filter(([, value]) => value !== null);
  return Object.fromEntries(entries);
}

/** What lines show as a dash. */
function said(text: string): string | null {
  return text === '-' ? null : text;
}

function address(text: string): { readonly address: string; readonly port: bigint } {
  return { address: text, port: BigInt(text.slice(text.lastIndexOf(':') + 1) || 0) };
}

/** The workload at one end, as Istio's Envoy tells of it. */
function peerOf(peer: HostMetadata | SourcePeer | null): Attributes {
  if (peer === null) return NONE;
  const { workload, namespace, cluster, canonicalName, canonicalRevision } = peer;
  const named = { app: canonicalName, version: canonicalRevision };
  return present({
    ...{ workload, namespace, cluster, ...named },
    ...{ service: canonicalName, revision: canonicalRevision },
  });
}

function requestOf(record: AccessRecord): Attributes {
  const { method, authority, protocol, requestHeaders, startedAtMs, durationMs } = record;
  const path = said(record.path);
  const query = path?.indexOf('?') ?? -1;
  const header = (name: string): string | null => joinHeader(requestHeaders, name);
  return present({
    path,
    url_path: query < 0 ? path : path!.slice(0, query),
    query: query < 0 ? (path === null ? null : '') : path!.slice(query + 1),
    method: said(method),
    host: said(authority),
    scheme: protocol === null ? null : (header('x-forwarded-proto') ?? 'http'),
    protocol,
    headers: protocol === null ? null : mapOf(requestHeaders),
    referer: header('referer'),
    useragent: header('user-agent'),
    id: header('x-request-id'),
    time: new Date(startedAtMs),
    duration: durationAttribute(durationMs),
    size: BigInt(record.bytesReceived),
    total_size: BigInt(record.bytesReceived),
  });
}

function responseOf(record: AccessRecord): Attributes {
  const { status, details, grpcStatus, responseHeaders, bytesSent, protocol } = record;
  return present({
    code: status === 0 ? null : BigInt(status),
    code_details: said(details),
    flags: flagsOf(record.flags),
    grpc_status: grpcStatus === null ? null : BigInt(Number(grpcStatus) || 0),
    headers: protocol === null ? null : mapOf(responseHeaders),
    size: BigInt(bytesSent),
    total_size: BigInt(bytesSent),
  });
}

function mapOf(headers: readonly string[]): Readonly<Record<string, string>> {
  const map: Record<string, string> = Object.create(null) as Record<string, string>;
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!;
    map[name] = name in map ? `${map[name]},${headers[i + 1]!}` : headers[i + 1]!;
  }
  return { ...map };
}

/** As Envoy numbers them, from the lowest bit (Envoy `StreamInfo::CoreResponseFlag`). */
const FLAGS: readonly string[] = [
  ...['LH', 'UH', 'UT', 'LR', 'UR', 'UF', 'UC', 'UO', 'NR', 'DI', 'FI', 'RL', 'UAEX', 'RLSE'],
  ...['DC', 'URX', 'SI', 'IH', 'DPE', 'UMSDR', 'RFCF', 'NFCF', 'DT', 'UPE', 'NC', 'OM'],
];

function flagsOf(text: string): bigint {
  let bits = 0n;
  for (const flag of text.split(',')) {
    const place = FLAGS.indexOf(flag);
    if (place >= 0) bits |= 1n << BigInt(place);
  }
  return bits;
}
