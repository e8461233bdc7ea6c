/** Turns Gateways into running waypoints and gateways, and says so in their status (spec control-plane 5). */
import type { Gateway, GatewayClass, ProxyConfig } from '@aquifer/model/resources';
import type { Context } from '../collections/cell.ts';
import type { Collection, Index } from '../collections/collection.ts';
import type { Graph } from '../collections/graph.ts';
import type { GatewayApiCollections } from '../derive/gateway-api/gateway-api-collections.ts';
import { generatedName, isManual, isRunHere } from '../derive/gateway-api/gateway-services.ts';
import { PROXY_CONFIG_ANNOTATION, WAYPOINT_CONTROLLER } from '../derive/labels.ts';
import type { MeshCollections } from '../derive/mesh-collections.ts';
import { settingsIn } from '../derive/mesh-settings.ts';
import { annotationsOf, type LabelledObject, nameOf, namespaceOf } from '../derive/object.ts';
import { effectiveStart } from '../derive/proxy-start.ts';
import { type ClusterInputs, keyOf, objectKey } from '../ingest/cluster-inputs.ts';
import { collectionPath, WATCHED_KINDS } from '../ingest/kinds.ts';
import { isManaged } from '../ingest/revision.ts';
import { belongsTo, gatewayState, type Obstacles } from '../reconcile/owner.ts';
import { isSameWish, type Manifest, type Wish } from '../reconcile/wish.ts';
import { isAllWanted, isContained } from './contained.ts';
import {
  type DerivedGatewayStatus,
  deriveGatewayStatus,
  withForeign,
  withRefused,
  withUnusable,
} from './gateway-status.ts';
import { type KeyedWish, statusWish } from './gateway-status-wish.ts';
import { type ParameterCollections, parametersOf } from './parameters.ts';
import {
  CONTROLLER_VERSION,
  ON_DEMAND,
  podMetadata,
  type RunGateway,
  waypointManifests,
} from './waypoint-manifests.ts';
import type { WaypointSettings } from './waypoint-settings.ts';

export interface WaypointInputs {
  readonly cluster: ClusterInputs;
  readonly mesh: MeshCollections;
  readonly gatewayApi: GatewayApiCollections;
  /** What stands in the way of waypoints and gateways. */
  readonly obstacles: Obstacles;
  readonly parameters: ParameterCollections;
  readonly settings: Omit<WaypointSettings, 'network' | 'trustDomain'>;
}

/** Newer controllers raise it; objects of a newer one are left alone. */
const OUR_VERSION = 5;

/** Every write that the waypoints and gateways of the cluster still lack. */
export function waypointWishes(graph: Graph, inputs: WaypointInputs): Collection<Wish> {
  const proxyConfigs = graph.index(
    'ProxyConfigs by namespace',
    inputs.cluster.of('ProxyConfig'),
    (config) => [namespaceOf(config)],
  );
  return graph.flatMap(
    'wishes for Gateways',
    inputs.cluster.of('Gateway'),
    (gateway, context) => gatewayWishes(gateway, { ...inputs, proxyConfigs }, context),
    isSameWish,
  );
}

function gatewayWishes(
  gateway: Gateway,
  inputs: WaypointInputs & { readonly proxyConfigs: Index<ProxyConfig> },
  context: Context,
): readonly KeyedWish[] {
  const { cluster, mesh } = inputs;
  const gatewayClass = classOf(gateway, inputs, context);
  if (gatewayClass === undefined || gateway.metadata.deletionTimestamp !== undefined) return [];
  const { controllerName: controller } = gatewayClass.spec;
  const namespace = context.get(cluster.of('Namespace'), objectKey('', namespaceOf(gateway)));
  if (!isManaged(gateway, namespace, inputs.settings.revision)) return [];
  const status = deriveGatewayStatus(gateway, controller, inputs, context);
  if (isManual(gateway)) return statusWish(gateway, status);
  const parameters = parametersOf(gateway, gatewayClass, inputs.parameters, context);
  if (parameters.kind === 'pending') return [];
  if (parameters.kind === 'unusable') {
    return statusWish(gateway, withUnusable(status, parameters.problem));
  }
  const meshSettings = settingsIn(mesh, context);
  const { network, trustDomain } = meshSettings;
  const settings = { ...inputs.settings, network, trustDomain };
  const { listeners } = context.get(inputs.gatewayApi.gateways, keyOf(gateway)) ?? gateway.spec;
  const run = { gateway, controller, listeners };
  const { labels, annotations } = podMetadata(run, settings);
  const start = effectiveStart(
    {
      namespace: namespaceOf(gateway),
      labels,
      annotation: annotations[PROXY_CONFIG_ANNOTATION],
    },
    meshSettings,
    (each) => context.lookup(inputs.proxyConfigs, each),
  );
  const { overlays } = parameters;
  const manifests = waypointManifests(run, settings, { overlays, start });
  if (!manifests.ok) return statusWish(gateway, withUnusable(status, manifests.error));
  const objects = manifests.value.flatMap((manifest) => {
    const wish = objectWish(gateway, manifest, cluster, context);
    return wish === null ? [] : [{ manifest, wish }];
  });
  const isOverlaid = parameters.overlays.length > 0;
  const told = withObstacles({ gateway, status, isOverlaid }, objects, inputs, context);
  return [
    ...objects.map(({ wish }) => wish),
    ...removalWishes(run, manifests.value, cluster, context),
    ...versionWish(gateway, controller),
    ...statusWish(gateway, told),
  ];
}

/** Undefined if the Gateway is somebody else's. */
function classOf(
  gateway: Gateway,
  { cluster }: WaypointInputs,
  context: Context,
): GatewayClass | undefined {
  const version = Number(annotationsOf(gateway)[CONTROLLER_VERSION] ?? OUR_VERSION);
  if (version > OUR_VERSION) return undefined;
  const classKey = objectKey('', gateway.spec.gatewayClassName);
  const gatewayClass = context.get(cluster.of('GatewayClass'), classKey);
  return gatewayClass !== undefined && isRunHere(gatewayClass) ? gatewayClass : undefined;
}

interface MissingObject {
  readonly manifest: Manifest;
  readonly wish: KeyedWish;
}

interface DeployedGateway {
  readonly gateway: Gateway;
  readonly status: DerivedGatewayStatus;
  readonly isOverlaid: boolean;
}

function withObstacles(
  { gateway, status, isOverlaid }: DeployedGateway,
  objects: readonly MissingObject[],
  { obstacles }: WaypointInputs,
  context: Context,
): DerivedGatewayStatus {
  const inTheWay: Manifest[] = [];
  const refused: string[] = [];
  for (const { manifest, wish } of objects) {
    const obstacle = context.get(obstacles, wish[0]);
    if (obstacle?.kind === 'foreign') inTheWay.push(manifest);
    if (obstacle?.kind === 'refused') refused.push(`${manifest.kind}: ${obstacle.message}`);
  }
  const told = withForeign(gateway, status, inTheWay);
  if (refused.length === 0) return told;
  const problem = `the API server refuses ${refused.toSorted().join('; ')}`;
  // What the installation makes by itself it takes: it is what was laid over it.
  return isOverlaid ? withUnusable(told, problem) : withRefused(told, problem);
}

function objectWish(
  gateway: Gateway,
  manifest: Manifest,
  cluster: ClusterInputs,
  context: Context,
): KeyedWish | null {
  const { kind } = manifest;
  const { namespace, name } = manifest.metadata;
  const existing = storedObject(kind, objectKey(namespace, name), cluster, context);
  if (
    existing !== undefined &&
    isContained(manifest, existing) &&
    isAllWanted(manifest, existing, WAYPOINT_CONTROLLER)
  ) {
    return null;
  }
  const path = `${collectionPath(WATCHED_KINDS[kind], namespace)}/${name}`;
  const basis = {
    gateway: keyOf(gateway),
    gatewayPath: pathOfGateway(gateway),
    gatewayState: gatewayState(gateway),
    resourceVersion: existing?.metadata.resourceVersion ?? '',
  };
  const fingerprint = JSON.stringify([basis.resourceVersion, basis.gatewayState, manifest]);
  const write = { verb: 'applyOwned', path, manifest, basis } as const;
  return [path, { fingerprint, write }];
}

function pathOfGateway(gateway: Gateway): string {
  return `${collectionPath(WATCHED_KINDS.Gateway, namespaceOf(gateway))}/${nameOf(gateway)}`;
}

function storedObject(
  kind: Manifest['kind'],
  key: string,
  cluster: ClusterInputs,
  context: Context,
): LabelledObject | undefined {
  const objects = cluster.anyOf(kind) as unknown as Collection<LabelledObject>;
  return context.get(objects, key);
}

/** Of what the Gateway becomes no more, because nothing is laid over it. */
function removalWishes(
  { gateway, controller }: RunGateway,
  manifests: readonly Manifest[],
  cluster: ClusterInputs,
  context: Context,
): readonly KeyedWish[] {
  return ON_DEMAND.flatMap((kind) => {
    if (manifests.some((manifest) => manifest.kind === kind)) return [];
    const [namespace, name] = [namespaceOf(gateway), generatedName(gateway, controller)];
    const existing = storedObject(kind, objectKey(namespace, name), cluster, context);
    if (existing === undefined || !belongsTo(existing, keyOf(gateway))) return [];
    const { uid = '', resourceVersion = '' } = existing.metadata;
    const path = `${collectionPath(WATCHED_KINDS[kind], namespace)}/${name}`;
    const write = { verb: 'delete', path, uid, resourceVersion } as const;
    return [[path, { fingerprint: `delete ${uid} ${resourceVersion}`, write }] as const];
  });
}

function versionWish(gateway: Gateway, controller: string): readonly KeyedWish[] {
  if (annotationsOf(gateway)[CONTROLLER_VERSION] === String(OUR_VERSION)) return [];
  const namespace = namespaceOf(gateway);
  const name = nameOf(gateway);
  const path = pathOfGateway(gateway);
  const annotations = { [CONTROLLER_VERSION]: String(OUR_VERSION) };
  const { apiVersion } = WATCHED_KINDS.Gateway;
  const body = { apiVersion, kind: 'Gateway', metadata: { namespace, name, annotations } };
  const write = { verb: 'apply', path, body, fieldManager: controller } as const;
  return [[path, { fingerprint: CONTROLLER_VERSION, write }]];
}
