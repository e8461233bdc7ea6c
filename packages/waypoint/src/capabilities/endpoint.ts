import {
  AddressSchema,
  EnvoyInternalAddressSchema,
  MetadataSchema,
  SocketAddressSchema,
} from '@aquifer/wire/gen/envoy/config/core/v3_pb';
import {
  ClusterLoadAssignment_PolicySchema,
  ClusterLoadAssignmentSchema,
  Endpoint_AdditionalAddressSchema,
  EndpointSchema,
  LbEndpointSchema,
  LocalityLbEndpointsSchema,
} from '@aquifer/wire/gen/envoy/config/endpoint/v3_pb';
import {
  capabilitiesOf,
  HANDLED,
  handled,
  harmless,
  type MessageCapabilities,
  refused,
} from './capability.ts';

/** Which hosts are preferred to which. */
const LOCALITIES: readonly MessageCapabilities[] = [
  capabilitiesOf(LocalityLbEndpointsSchema, {
    ...handled('lb_endpoints', 'load_balancing_weight', 'priority'),
    locality: harmless('its place among the priorities and its weight say what it is worth'),
  }),
];

/** Endpoints of clusters. */
export const ENDPOINTS: readonly MessageCapabilities[] = [
  capabilitiesOf(ClusterLoadAssignmentSchema, handled('cluster_name', 'endpoints', 'policy')),
  capabilitiesOf(ClusterLoadAssignment_PolicySchema, {
    overprovisioning_factor: HANDLED,
    drop_overloads: refused('no requests are dropped for what endpoints say'),
    endpoint_stale_after: refused('endpoints hold until others come'),
    weighted_priority_health: refused('the health of a priority counts hosts, not weights'),
  }),
  capabilitiesOf(
    LbEndpointSchema,
    handled('endpoint', 'health_status', 'metadata', 'load_balancing_weight'),
  ),
  capabilitiesOf(EndpointSchema, {
    ...handled('address', 'additional_addresses'),
  }),
  capabilitiesOf(Endpoint_AdditionalAddressSchema, handled('address')),
  capabilitiesOf(AddressSchema, {
    ...handled('socket_address', 'envoy_internal_address'),
    pipe: refused('endpoints are reached over IP'),
  }),
  capabilitiesOf(SocketAddressSchema, handled('address', 'port_value')),
  capabilitiesOf(EnvoyInternalAddressSchema, handled('server_listener_name', 'endpoint_id')),
  capabilitiesOf(MetadataSchema, handled('filter_metadata')),
  ...LOCALITIES,
];
