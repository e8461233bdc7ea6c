/** Listeners for gRPC clients: there is no socket, only where the routes of a name are (gRFC A27). */
import { ListenerSchema } from '@aquifer/wire/gen/envoy/config/listener/v3_pb';
import { HTTPFaultSchema } from '@aquifer/wire/gen/envoy/extensions/filters/http/fault/v3_pb';
import { RouterSchema } from '@aquifer/wire/gen/envoy/extensions/filters/http/router/v3_pb';
import { HttpConnectionManagerSchema } from '@aquifer/wire/gen/envoy/extensions/filters/network/http_connection_manager/v3_pb';
import { create } from '@bufbuild/protobuf';
import type { ObjectRef } from '../../../ingest/kinds.ts';
import type { Resource } from '../../resource.ts';
import { FAULT_FILTER } from '../envoy-filters.ts';
import { routesNamed } from '../http-connection-manager.ts';
import { encoded } from '../owned-resource.ts';
import { extension, packed } from '../packed.ts';

/** Those that gRPC knows; a client refuses a listener with another. */
const FILTERS = [
  extension(FAULT_FILTER, HTTPFaultSchema),
  extension('envoy.filters.http.router', RouterSchema),
];

/** `name` is what follows `xds:///`, and `routes` a table of routes. */
export function grpcListener(
  name: string,
  routes: string,
  sources: readonly ObjectRef[],
): Resource<null> {
  const manager = packed(HttpConnectionManagerSchema, {
    routeSpecifier: routesNamed(routes),
    httpFilters: [...FILTERS],
  });
  const listener = create(ListenerSchema, { name, apiListener: { apiListener: manager } });
  return encoded(ListenerSchema, listener, sources);
}
