import { isIP } from 'node:net';
import type { Cluster as PbCluster } from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import type { DataSource, TransportSocket } from '@aquifer/wire/gen/envoy/config/core/v3_pb';
import { InternalUpstreamTransportSchema } from '@aquifer/wire/gen/envoy/extensions/transport_sockets/internal_upstream/v3_pb';
import {
  type CertificateValidationContext,
  type CommonTlsContext,
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
} from '@aquifer/wire/gen/envoy/extensions/transport_sockets/tls/v3_pb';
import { HttpProtocolOptionsSchema } from '@aquifer/wire/gen/envoy/extensions/upstreams/http/v3_pb';
import type { JsonObject } from '@bufbuild/protobuf';
import { isType, unpack } from './any.ts';
import { ConfigProblem } from './problem.ts';

/** TLS towards endpoints, within the tunnel where there is one. */
export interface UpstreamTls {
  /** What the endpoint is called; null to call it nothing. */
  readonly serverName: string | null;
  readonly alpn: readonly string[];
  /** Whose certificates are believed; `anyone` asks nothing of the certificate. */
  readonly roots:
    | { readonly kind: 'system' | 'anyone' }
    | { readonly kind: 'file'; readonly path: string }
    | { readonly kind: 'given'; readonly pem: string };
  /** Names of which the certificate must have one; `server-name` for the name that it is called by. */
  readonly names: readonly string[] | 'server-name' | 'any';
  readonly certificate: { readonly chainPath: string; readonly keyPath: string } | null;
}

/** The first that fits what an endpoint says of itself decides; null is no TLS. */
export interface TransportRule {
  readonly match: Readonly<Record<string, unknown>>;
  readonly tls: UpstreamTls | null;
}

const HTTP_OPTIONS = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

/** In the order of the cluster; the last one takes every endpoint. Throws `ConfigProblem` for what is not done. */
export function compileTransport(config: PbCluster): readonly TransportRule[] {
  const names = requestNames(config);
  const rules = config.transportSocketMatches.flatMap(({ match, transportSocket }, i) => {
    // Endpoints that ask for the TLS of sidecars are refused one by one.
    if (match?.tlsMode === 'istio') return [];
    const path = `transport_socket_matches[${i}].transport_socket`;
    return [{ match: match ?? {}, tls: tlsOf(transportSocket, path, names) }];
  });
  return [...rules, { match: {}, tls: tlsOf(config.transportSocket, 'transport_socket', names) }];
}

/** What an endpoint says of itself is `labels`. */
export function tlsFor(
  rules: readonly TransportRule[],
  labels: Readonly<Record<string, unknown>>,
): UpstreamTls | null {
  const found = rules.find(({ match }) =>
    Object.entries(match).every(([key, value]) => labels[key] === value),
  );
  return found?.tls ?? null;
}

/** Names that the context leaves to requests. Here they are that of the service, which requests are for. */
interface RequestNames {
  readonly serverName: string | null;
  readonly isValidated: boolean;
}

function requestNames(config: PbCluster): RequestNames {
  const { typedExtensionProtocolOptions, metadata, clusterDiscoveryType } = config;
  const any = typedExtensionProtocolOptions[HTTP_OPTIONS];
  const path = `typed_extension_protocol_options[${HTTP_OPTIONS}]`;
  const options = any && unpack(any, HttpProtocolOptionsSchema, path).upstreamHttpProtocolOptions;
  if (options?.autoSni !== true) return { serverName: null, isValidated: false };
  // Each host of such a cluster is known by the name that requests are for.
  if (clusterDiscoveryType.case === 'clusterType') {
    return { serverName: null, isValidated: options.autoSanValidation };
  }
  const services = metadata?.filterMetadata.istio?.services;
  const [service] = Array.isArray(services) ? (services as JsonObject[]) : [];
  const host = service?.host;
  if (typeof host !== 'string' || host.startsWith('*')) {
    throw new ConfigProblem(
      path,
      'asks for the name of each request, and the cluster has no other',
    );
  }
  return { serverName: host, isValidated: options.autoSanValidation };
}

function tlsOf(
  socket: TransportSocket | undefined,
  path: string,
  names: RequestNames,
): UpstreamTls | null {
  const any = socket?.configType.value;
  if (isType(any, InternalUpstreamTransportSchema)) {
    return tlsOf(unpack(any, InternalUpstreamTransportSchema, path).transportSocket, path, names);
  }
  if (isType(any, DownstreamTlsContextSchema))
    throw new ConfigProblem(path, 'is for clients, not for endpoints');
  if (!isType(any, UpstreamTlsContextSchema)) return null;
  const { sni, commonTlsContext: common } = unpack(any, UpstreamTlsContextSchema, path);
  const serverName = sni === '' ? names.serverName : sni;
  return {
    // An address is no name to call a server by (RFC 6066, 3).
    serverName: serverName === null || isIP(serverName) !== 0 ? null : serverName,
    alpn: common?.alpnProtocols ?? [],
    certificate: certificateOf(common, path),
    ...validationOf(common, path, sni === '' && names.isValidated),
  };
}

/** Throws `ConfigProblem` for a secret that is no file. */
export function certificateOf(
  common: CommonTlsContext | undefined,
  path: string,
): UpstreamTls['certificate'] {
  const [secret] = common?.tlsCertificateSdsSecretConfigs ?? [];
  if (secret === undefined) return null;
  const [chainPath = '', keyPath = ''] = fileOf(secret.name, 'file-cert:', path).split('~');
  return { chainPath, keyPath };
}

/** Secrets are named by the files that hold them. */
function fileOf(name: string, prefix: string, path: string): string {
  if (name.startsWith(prefix)) return name.slice(prefix.length);
  throw new ConfigProblem(path, `secret ${JSON.stringify(name)} is no file`);
}

export function validationOf(
  common: CommonTlsContext | undefined,
  path: string,
  byServerName: boolean,
): Pick<UpstreamTls, 'roots' | 'names'> {
  const type = common?.validationContextType;
  const given = type?.case === 'validationContext' ? textIn(type.value.trustedCa) : '';
  if (type?.case === 'validationContext' && given !== '') {
    return { roots: { kind: 'given', pem: given }, names: namesOf(type.value, byServerName) };
  }
  if (type?.case !== 'combinedValidationContext')
    return { roots: { kind: 'anyone' }, names: 'any' };
  const { validationContextSdsSecretConfig: secret, defaultValidationContext } = type.value;
  const file = fileOf(secret?.name ?? '', 'file-root:', path);
  return {
    roots: file === 'system' ? { kind: 'system' } : { kind: 'file', path: file },
    names: namesOf(defaultValidationContext, byServerName),
  };
}

function textIn(source: DataSource | undefined): string {
  const { specifier } = source ?? {};
  if (specifier?.case === 'inlineBytes') return Buffer.from(specifier.value).toString();
  return specifier?.case === 'inlineString' ? specifier.value : '';
}

function namesOf(
  context: CertificateValidationContext | undefined,
  byServerName: boolean,
): UpstreamTls['names'] {
  const listed = (context?.matchSubjectAltNames ?? []).map(({ matchPattern: pattern }) =>
    pattern.case === 'exact' ? pattern.value : '',
  );
  if (listed.length > 0) return listed;
  return byServerName ? 'server-name' : 'any';
}
