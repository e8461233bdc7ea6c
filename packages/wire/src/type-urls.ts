/** Type URLs of the resources that travel over delta ADS (spec control-plane 3.2). */
const PREFIX = 'type.googleapis.com/';
export const ADDRESS_TYPE: string = `${PREFIX}istio.workload.Address`;
export const AUTHORIZATION_TYPE: string = `${PREFIX}istio.security.Authorization`;
export const ENROLLED_POD_TYPE: string = `${PREFIX}aquifer.node.v1.EnrolledPod`;
export const CLUSTER_TYPE: string = `${PREFIX}envoy.config.cluster.v3.Cluster`;
export const ENDPOINT_TYPE: string = `${PREFIX}envoy.config.endpoint.v3.ClusterLoadAssignment`;
export const LISTENER_TYPE: string = `${PREFIX}envoy.config.listener.v3.Listener`;
export const ROUTE_TYPE: string = `${PREFIX}envoy.config.route.v3.RouteConfiguration`;
export const SECRET_TYPE: string = `${PREFIX}envoy.extensions.transport_sockets.tls.v3.Secret`;
