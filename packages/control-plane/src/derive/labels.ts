/** Labels and annotations of the mesh's API (spec control-plane 1.1, 1.2). */
export const DATAPLANE_MODE_LABEL = 'istio.io/dataplane-mode';
export const USE_WAYPOINT_LABEL = 'istio.io/use-waypoint';
export const USE_WAYPOINT_NAMESPACE_LABEL = 'istio.io/use-waypoint-namespace';
export const USE_WAYPOINT_CANARY_LABEL = 'istio.io/use-waypoint-canary';
export const USE_WAYPOINT_CANARY_NAMESPACE_LABEL = 'istio.io/use-waypoint-canary-namespace';
export const CANARY_WEIGHT_ANNOTATION = 'istio.io/use-waypoint-canary-weight';
export const INGRESS_USE_WAYPOINT_LABEL = 'istio.io/ingress-use-waypoint';
export const WAYPOINT_FOR_LABEL = 'istio.io/waypoint-for';
export const INBOUND_BINDING_ANNOTATION = 'ambient.istio.io/waypoint-inbound-binding';
export const GATEWAY_NAME_LABEL = 'gateway.networking.k8s.io/gateway-name';
export const GATEWAY_CLASS_LABEL = 'gateway.networking.k8s.io/gateway-class-name';
export const NETWORK_LABEL = 'topology.istio.io/network';
export const REDIRECTION_ANNOTATION = 'ambient.istio.io/redirection';
export const BYPASS_INBOUND_ANNOTATION = 'ambient.istio.io/bypass-inbound-capture';
export const DNS_CAPTURE_ANNOTATION = 'ambient.istio.io/dns-capture';
/** The kubelet's: of a pod that a file on its node describes, which has another uid in the API than on the node. */
export const CONFIG_HASH_ANNOTATION = 'kubernetes.io/config.hash';
/** How a pod's proxy is started: a ProxyConfig of the mesh's configuration, as YAML. */
export const PROXY_CONFIG_ANNOTATION = 'proxy.istio.io/config';
export const SIDECAR_STATUS_ANNOTATION = 'sidecar.istio.io/status';
export const TUNNEL_LABEL = 'networking.istio.io/tunnel';
/** Of a Service: the namespaces that see it. */
export const EXPORT_TO_ANNOTATION = 'networking.istio.io/exportTo';
/** Of a pod or an endpoint: `istio` where a sidecar takes mutual TLS. */
export const TLS_MODE_LABEL = 'security.istio.io/tlsMode';
/** Of a ServiceEntry: `RACE_FIRST_TCP_CONNECT` connects to whichever of the addresses of its name answers first. */
export const CONNECT_STRATEGY_ANNOTATION = 'istio.io/connect-strategy';
export const TRAFFIC_DISTRIBUTION_ANNOTATION = 'networking.istio.io/traffic-distribution';
/** Of a ServiceEntry: `false` where hosts are given no addresses. */
export const AUTOALLOCATE_LABEL = 'networking.istio.io/enable-autoallocate-ip';
/** Of a WorkloadEntry that was made for a proxy: the WorkloadGroup that it was made from. */
export const REGISTRATION_GROUP_ANNOTATION = 'istio.io/autoRegistrationGroup';
export const DRY_RUN_ANNOTATION = 'istio.io/dry-run';
/** Of a Gateway: the account that its pods run under. */
export const SERVICE_ACCOUNT_ANNOTATION = 'gateway.istio.io/service-account';
/** Of a Gateway: another name for what it becomes. */
export const NAME_OVERRIDE_ANNOTATION = 'gateway.istio.io/name-override';
/** Of a Gateway: `Hostname` or `IPAddress`, what its status says where it has no load balancer. */
export const ADDRESS_TYPE_ANNOTATION = 'networking.istio.io/address-type';
/** Who runs waypoints, and who runs gateways for clients outside of the mesh. */
export const WAYPOINT_CONTROLLER = 'istio.io/mesh-controller';
export const GATEWAY_CONTROLLER = 'istio.io/gateway-controller';
/** Values of the managed label (`MANAGED_LABEL`) whose Services never get a waypoint of their own. */
export const MANAGED_WAYPOINTS: readonly string[] = [
  'istio.io-mesh-controller',
  'istio.io-eastwest-controller',
];
