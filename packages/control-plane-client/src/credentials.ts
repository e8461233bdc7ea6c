import { readFileSync } from 'node:fs';
import { type ChannelCredentials, credentials, Metadata } from '@grpc/grpc-js';

/** How to reach the control plane: one address serves discovery and certificates (spec control-plane 3.1). */
export interface ControlPlaneEndpoint {
  /** `host:port`. */
  readonly address: string;
  /** PEM file with the roots that sign the server's certificate; null speaks plaintext (port 15010). */
  readonly rootCertPath: string | null;
  /** Name the server's certificate must carry, if it differs from the address's host. */
  readonly serverName: string | null;
  /** File with the service-account token; null sends none. */
  readonly tokenPath: string | null;
  readonly clusterId: string;
}

/** Read anew for every connection: the root bundle may have been rotated. */
export function channelCredentials(endpoint: ControlPlaneEndpoint): ChannelCredentials {
  if (endpoint.rootCertPath === null) return credentials.createInsecure();
  return credentials.createSsl(readFileSync(endpoint.rootCertPath));
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
  if (endpoint.tokenPath !== null) {
    const token = readFileSync(endpoint.tokenPath, 'utf8').trim();
    metadata.set('authorization', `Bearer ${token}`);
  }
  metadata.set('clusterid', endpoint.clusterId);
  return metadata;
}
