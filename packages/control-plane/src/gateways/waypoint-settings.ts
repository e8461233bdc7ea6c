/** What the installation fixes for all waypoints. */
export interface WaypointSettings {
  readonly image: string;
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
