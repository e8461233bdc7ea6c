/** What clusters have in common. */
import type {
  Cluster_TransportSocketMatchSchema,
  ClusterSchema,
} from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import {
  type InternalUpstreamTransport_MetadataValueSourceSchema,
  InternalUpstreamTransportSchema,
} from '@aquifer/wire/gen/envoy/extensions/transport_sockets/internal_upstream/v3_pb';
import { RawBufferSchema } from '@aquifer/wire/gen/envoy/extensions/transport_sockets/raw_buffer/v3_pb';
import { ORIGINAL_DST_KEY } from './names.ts';
import { type Extension, extension, type Init } from './packed.ts';

type PassedMetadata = Init<typeof InternalUpstreamTransport_MetadataValueSourceSchema>;

/** Also what statistics call it. */
export function named(
  name: string,
): Required<Pick<Init<typeof ClusterSchema>, 'name' | 'altStatName'>> {
  return { name, altStatName: `${name};` };
}

/** To another listener of the same proxy; `passed` is metadata of the endpoint that goes along, `inner` what runs there. */
export function internalSocket(
  prefix: string,
  passed: readonly PassedMetadata[],
  inner: Extension = extension(`${prefix}raw_buffer`, RawBufferSchema),
): Extension {
  return extension(`${prefix}internal_upstream`, InternalUpstreamTransportSchema, {
    passthroughMetadata: [...passed],
    transportSocket: inner,
  });
}

const OF_HOST = { kind: { case: 'host' as const, value: {} } };
const OF_CLUSTER = { kind: { case: 'cluster' as const, value: {} } };

/** Of an endpoint: where its tunnel leads, and what telemetry reads of it. */
export const TUNNEL_TARGET: PassedMetadata = { name: ORIGINAL_DST_KEY, kind: OF_HOST };
export const ENDPOINT_METADATA: PassedMetadata = { name: 'istio', kind: OF_HOST };
const CLUSTER_METADATA: PassedMetadata = { name: 'istio', kind: OF_CLUSTER };

export type SocketMatch = Init<typeof Cluster_TransportSocketMatchSchema> & {
  readonly transportSocket: Extension;
};

const SOCKETS = 'envoy.transport_sockets.';

/** Transports of outbound clusters, of which an endpoint gets the first that its metadata matches; `inner` runs in the tunnel. */
export function hboneSocket(inner?: Extension): SocketMatch {
  const passed = [TUNNEL_TARGET, CLUSTER_METADATA, ENDPOINT_METADATA];
  const transportSocket = internalSocket(SOCKETS, passed, inner);
  return { name: 'hbone', match: { tunnel: 'http' }, transportSocket };
}

export const PLAIN_SOCKET: SocketMatch = {
  name: 'tlsMode-disabled',
  match: {},
  transportSocket: extension(`${SOCKETS}raw_buffer`, RawBufferSchema),
};
