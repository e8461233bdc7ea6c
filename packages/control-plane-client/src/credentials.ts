import { existsSync, readFileSync } from 'node:fs';
import { getCACertificates } from 'node:tls';
import { type ChannelCredentials, credentials, Metadata } from '@grpc/grpc-js';

import { DEFAULT_TOKEN_PATH } from './credential-config.ts';

/** How to reach the control plane: one address serves discovery and certificates (spec control-plane 3.1). */
export interface ControlPlaneEndpoint {
  /** `host:port`. */
  readonly address: string;
  /**
   * The roots that sign the server's certificate: a PEM file, PEM itself, or `SYSTEM` for those of the system; null speaks
   * plaintext (port 15010).
   */
  readonly rootCertPath: string | null;
  /** Name the server's certificate must carry, if it differs from the address's host. */
  readonly serverName: string | null;
  /** File with the service-account token, or the token itself; null sends none. */
  readonly tokenPath: string | null;
  readonly clusterId: string;
  /** Metadata of every call, by name. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Read anew for every connection: the root bundle may have been rotated. */
export function channelCredentials(endpoint: ControlPlaneEndpoint): ChannelCredentials {
  if (endpoint.rootCertPath === null) return credentials.createInsecure();
  return credentials.createSsl(Buffer.from(rootsOf(endpoint.rootCertPath)));
}

function rootsOf(source: string): string {
  if (source === 'SYSTEM') return getCACertificates('system').join('\n');
  return source.includes('-----BEGIN') ? source : readFileSync(source, 'utf8');
}

/** Channel options of spec ztunnel 1.7: HTTP/2 ping every 30 s with 10 s patience, messages up to 200 MiB. */
export function channelOptions(endpoint: ControlPlaneEndpoint): Record<string, string | number> {
  return {
    'grpc.keepalive_time_ms': 30_000,
    'grpc.keepalive_timeout_ms': 10_000,
    'grpc.max_receive_message_length': 200 * 1024 * 1024,
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 5_000,
    'grpc.use_local_subchannel_pool': 1,
    ...(endpoint.serverName !== null && {
      'grpc.ssl_target_name_override': endpoint.serverName,
      'grpc.default_authority': endpoint.serverName,
    }),
  };
}

/** Bearer token and cluster id; the token is read anew for every call, because kubelets rotate it. */
export function callMetadata(endpoint: ControlPlaneEndpoint): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(endpoint.headers)) metadata.set(name, value);
  const token = endpoint.tokenPath === null ? null : tokenOf(endpoint.tokenPath);
  if (token !== null) metadata.set('authorization', `Bearer ${token}`);
  metadata.set('clusterid', endpoint.clusterId);
  return metadata;
}

/** A token has no slash. Where Kubernetes would have put one, and has not, there is none. */
function tokenOf(source: string): string | null {
  if (!source.includes('/')) return source;
  if (source === DEFAULT_TOKEN_PATH && !existsSync(source)) return null;
  return readFileSync(source, 'utf8').trim();
}
