/** What clusters have in common. */
import type { ClusterSchema } from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import {
  type InternalUpstreamTransport_MetadataValueSourceSchema,
  InternalUpstreamTransportSchema,
} from '@aquifer/wire/gen/envoy/extensions/transport_sockets/internal_upstream/v3_pb';
import { RawBufferSchema } from '@aquifer/wire/gen/envoy/extensions/transport_sockets/raw_buffer/v3_pb';
import { type Extension, extension, type Init } from './packed.ts';

export type PassedMetadata = Init<typeof InternalUpstreamTransport_MetadataValueSourceSchema>;

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
