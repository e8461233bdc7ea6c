/** What an installation fixes once for all derivations. */
export interface MeshSettings {
  /** Id of the watched cluster, first part of every workload uid. Default `Kubernetes`. */
  readonly clusterId: string;
  /** DNS suffix of services. Default `cluster.local`. */
  readonly clusterDomain: string;
  readonly trustDomain: string;
  /** Where mesh-wide policies live, and the control plane itself. Default `istio-system`. */
  readonly rootNamespace: string;
}

/** `<name>.<namespace>.svc.<cluster domain>`. */
export function serviceHostname(
  mesh: Pick<MeshSettings, 'clusterDomain'>,
  namespace: string,
  name: string,
): string {
  return `${name}.${namespace}.svc.${mesh.clusterDomain}`;
}
