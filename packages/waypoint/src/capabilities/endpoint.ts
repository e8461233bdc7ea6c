import {
  AddressSchema,
  EnvoyInternalAddressSchema,
  LocalitySchema,
  MetadataSchema,
  SocketAddressSchema,
} from '@aquifer/wire/gen/envoy/config/core/v3_pb';
import {
  ClusterLoadAssignmentSchema,
  EndpointSchema,
  LbEndpointSchema,
  LocalityLbEndpointsSchema,
} from '@aquifer/wire/gen/envoy/config/endpoint/v3_pb';
import { capabilitiesOf, handled, harmless, type MessageCapabilities } from './capability.ts';

/** Which hosts are preferred to which. */
const LOCALITIES: readonly MessageCapabilities[] = [
  capabilitiesOf(
    LocalityLbEndpointsSchema,
    handled('locality', 'lb_endpoints', 'load_balancing_weight', 'priority'),
  ),
  capabilitiesOf(LocalitySchema, handled('region', 'zone', 'sub_zone')),
];

/** Endpoints of clusters. */
export const ENDPOINTS: readonly MessageCapabilities[] = [
  capabilitiesOf(ClusterLoadAssignmentSchema, handled('cluster_name', 'endpoints')),
  capabilitiesOf(
    LbEndpointSchema,
    handled('endpoint', 'health_status', 'metadata', 'load_balancing_weight'),
  ),
  capabilitiesOf(EndpointSchema, handled('address')),
  capabilitiesOf(AddressSchema, handled('socket_address', 'envoy_internal_address')),
  capabilitiesOf(SocketAddressSchema, handled('address', 'port_value')),
  capabilitiesOf(EnvoyInternalAddressSchema, {
    ...handled('server_listener_name'),
    endpoint_id: harmless('endpoints are told apart by where their tunnels lead'),
  }),
  capabilitiesOf(MetadataSchema, handled('filter_metadata')),
  ...LOCALITIES,
];
