import type { ExtensionProvider } from './extension-providers.ts';
import type { ProxyStart } from './proxy-start.ts';
import type { MeshTelemetry } from './telemetry/mesh-telemetry.ts';

/** What an installation fixes once for all derivations. */
export interface Installation {
  /** Id of the watched cluster, first part of every workload uid. Default `Kubernetes`. */
  readonly clusterId: string;
  /** DNS suffix of services. Default `cluster.local`. */
  readonly clusterDomain: string;
  /** Holds unless the configuration of the mesh names another one. */
  readonly trustDomain: string;
  /** Where the control plane runs, and what configures the mesh is. Default `istio-system`. */
  readonly systemNamespace: string;
  /** Whether what a waypoint stands before lets it in by itself. Default: false. */
  readonly isWaypointAllowed?: boolean;
}

/** What holds for the whole mesh at a time. */
export interface MeshSettings extends Pick<Installation, 'clusterId' | 'clusterDomain'> {
  readonly trustDomain: string;
  /** Where mesh-wide policies live. Default: the system namespace. */
  readonly rootNamespace: string;
  /** Of everything in the cluster that names none; empty if the cluster's has no name. */
  readonly network: string;
  readonly extensionProviders: readonly ExtensionProvider[];
  readonly telemetry: MeshTelemetry;
  readonly proxies: ProxyStart;
}

/** `<name>.<namespace>.svc.<cluster domain>`. */
export function serviceHostname(
  mesh: Pick<MeshSettings, 'clusterDomain'>,
  namespace: string,
  name: string,
): string {
  return `${name}.${namespace}.svc.${mesh.clusterDomain}`;
}
