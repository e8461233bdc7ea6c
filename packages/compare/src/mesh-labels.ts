/** Label of pods that are a waypoint or a gateway. */
export const GATEWAY_NAME = 'gateway.networking.k8s.io/gateway-name';
/** Annotation of pods, `enabled` once a node proxy has captured them. */
export const REDIRECTION = 'ambient.istio.io/redirection';
