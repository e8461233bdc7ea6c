/** What the installation fixes for all waypoints and gateways. */
export interface WaypointSettings {
  /** Of waypoints. */
  readonly image: string;
  /** Of gateways for clients outside of the mesh: an Envoy with Istio's agent. */
  readonly gatewayImage: string;
  /** Secrets that both images are pulled with, in the namespace of the waypoint or gateway. */
  readonly imagePullSecrets: readonly string[];
  readonly clusterId: string;
  readonly clusterDomain: string;
  readonly trustDomain: string;
  readonly systemNamespace: string;
  /** host:port of the authority that waypoints ask; empty: the control plane. */
  readonly caAddress: string;
  /** Empty when the cluster's network has no name. */
  readonly network: string;
  readonly revision: string;
}
