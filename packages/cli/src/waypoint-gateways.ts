import type { Gateway } from '@aquifer/model/resources';
import type { KubernetesObject } from '@kubernetes/client-node';
import { isNotFound } from './api-errors.ts';
import type { Cluster } from './cluster.ts';
import { CliError } from './errors.ts';

/** Where the API has Gateways. */
export const GATEWAYS = {
  group: 'gateway.networking.k8s.io',
  version: 'v1',
  plural: 'gateways',
} as const;
const WAYPOINT_CLASS = 'istio-waypoint';
/** Label: the waypoint that a namespace uses. */
export const USE_WAYPOINT = 'istio.io/use-waypoint';
/** Label: the Gateway that a pod serves, as a waypoint or as a gateway. */
export const GATEWAY_NAME = 'gateway.networking.k8s.io/gateway-name';
/** Label: the traffic that a waypoint takes. */
export const WAYPOINT_FOR = 'istio.io/waypoint-for';
/** Label: the revision that owns a waypoint. */
export const REVISION = 'istio.io/rev';

/** What the Gateway of a waypoint says. */
export interface GatewayOptions {
  readonly namespace?: string;
  readonly name: string;
  readonly for?: string;
  readonly revision?: string;
}

type Condition = NonNullable<NonNullable<Gateway['status']>['conditions']>[number];

/** Which Gateway. */
export interface GatewayName {
  readonly namespace: string;
  readonly name: string;
}

/** The Gateway that `istioctl waypoint generate` prints (spec control-plane 7.1). */
export function waypointGateway(
  namespace: string | undefined,
  options: GatewayOptions,
): KubernetesObject {
  const labels: Record<string, string> = {
    ...(options.for !== undefined && { [WAYPOINT_FOR]: options.for }),
    ...(options.revision !== undefined && { [REVISION]: options.revision }),
  };
  const gateway = {
    apiVersion: `${GATEWAYS.group}/${GATEWAYS.version}`,
    kind: 'Gateway',
    metadata: {
      name: options.name,
      ...(namespace !== undefined && { namespace }),
      ...(Object.keys(labels).length > 0 && { labels }),
    },
    spec: {
      gatewayClassName: WAYPOINT_CLASS,
      listeners: [{ name: 'mesh', port: 15_008, protocol: 'HBONE' }],
    },
  };
  return gateway;
}

/** Waypoints of a namespace, or of all (null), by namespace and name; throws a CliError without Gateway API. */
export async function listWaypoints(
  cluster: Cluster,
  namespace: string | null,
): Promise<Gateway[]> {
  const listing =
    namespace === null
      ? cluster.custom.listClusterCustomObject(GATEWAYS)
      : cluster.custom.listNamespacedCustomObject({ ...GATEWAYS, namespace });
  const list = await listing.catch((error: unknown) => {
    if (!isNotFound(error)) throw error;
    throw new CliError(
      'the custom resources of Gateway API are not installed in this cluster',
      'install them with: kubectl apply -f deploy/crds',
    );
  });
  const keyOf = ({ metadata }: Gateway): string => `${metadata.namespace}/${metadata.name}`;
  return (list as { items: Gateway[] }).items
    .filter(({ spec }) => spec.gatewayClassName === WAYPOINT_CLASS)
    .toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}

/** Throws the API's error, also when there is none. */
export async function readGateway(cluster: Cluster, gateway: GatewayName): Promise<Gateway> {
  return (await cluster.custom.getNamespacedCustomObject({ ...GATEWAYS, ...gateway })) as Gateway;
}

/** What the control plane says about it; undefined before it has. */
export function programmedCondition({ status }: Gateway): Condition | undefined {
  return status?.conditions?.find(({ type }) => type === 'Programmed');
}

/** Throws a CliError if there is no such namespace. */
export async function readNamespaceLabels(
  cluster: Cluster,
  name: string,
): Promise<Record<string, string>> {
  try {
    return (await cluster.core.readNamespace({ name })).metadata?.labels ?? {};
  } catch (error) {
    if (!isNotFound(error)) throw error;
    throw new CliError(
      `namespace ${name} does not exist`,
      `create it with: kubectl create namespace ${name}`,
    );
  }
}
