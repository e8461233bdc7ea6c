/** Turns Gateways into running waypoints and gateways, and says so in their status (spec control-plane 5). */
import type { Gateway } from '@aquifer/model/resources';
import type { Context } from '../collections/cell.ts';
import type { Collection } from '../collections/collection.ts';
import type { Graph } from '../collections/graph.ts';
import type { GatewayApiCollections } from '../derive/gateway-api/gateway-api-collections.ts';
import { isManual } from '../derive/gateway-api/gateway-services.ts';
import { GATEWAY_CONTROLLER, WAYPOINT_CONTROLLER } from '../derive/labels.ts';
import type { MeshCollections } from '../derive/mesh-collections.ts';
import { settingsIn } from '../derive/mesh-settings.ts';
import { annotationsOf, type LabelledObject, nameOf, namespaceOf } from '../derive/object.ts';
import { type ClusterInputs, keyOf, objectKey } from '../ingest/cluster-inputs.ts';
import { collectionPath, WATCHED_KINDS } from '../ingest/kinds.ts';
import { isManaged } from '../ingest/revision.ts';
import type { ForeignObjects } from '../reconcile/owner.ts';
import { isSameWish, type Manifest, type Wish } from '../reconcile/wish.ts';
import { isContained } from './contained.ts';
import { deriveGatewayStatus, withForeign } from './gateway-status.ts';
import { type KeyedWish, statusWish } from './gateway-status-wish.ts';
import { CONTROLLER_VERSION, waypointManifests } from './waypoint-manifests.ts';
import type { WaypointSettings } from './waypoint-settings.ts';

export interface WaypointInputs {
  readonly cluster: ClusterInputs;
  readonly mesh: MeshCollections;
  readonly gatewayApi: GatewayApiCollections;
  /** What stands in the way of waypoints and gateways. */
  readonly foreign: ForeignObjects;
  readonly settings: Omit<WaypointSettings, 'network' | 'trustDomain'>;
}

/** Newer controllers raise it; objects of a newer one are left alone. */
const OUR_VERSION = 5;

/** Every write that the waypoints and gateways of the cluster still lack. */
export function waypointWishes(graph: Graph, inputs: WaypointInputs): Collection<Wish> {
  return graph.flatMap(
    'wishes for Gateways',
    inputs.cluster.of('Gateway'),
    (gateway, context) => gatewayWishes(gateway, inputs, context),
    isSameWish,
  );
}

function gatewayWishes(
  gateway: Gateway,
  inputs: WaypointInputs,
  context: Context,
): readonly KeyedWish[] {
  const { cluster, mesh, foreign } = inputs;
  const controller = controllerOf(gateway, inputs, context);
  if (controller === null || gateway.metadata.deletionTimestamp !== undefined) return [];
  const namespace = context.get(cluster.of('Namespace'), objectKey('', namespaceOf(gateway)));
  if (!isManaged(gateway, namespace, inputs.settings.revision)) return [];
  const wishes: KeyedWish[] = [];
  const status = deriveGatewayStatus(gateway, controller, inputs, context);
  if (isManual(gateway)) return statusWish(gateway, status);
  const { network, trustDomain } = settingsIn(mesh, context);
  const settings = { ...inputs.settings, network, trustDomain };
  const inTheWay: Manifest[] = [];
  const { listeners } = context.get(inputs.gatewayApi.gateways, keyOf(gateway)) ?? gateway.spec;
  for (const manifest of waypointManifests({ gateway, controller, listeners }, settings)) {
    const wish = objectWish(gateway, manifest, cluster, context);
    if (wish === null) continue;
    wishes.push(wish);
    const [path] = wish;
    if (context.get(foreign, path) !== undefined) inTheWay.push(manifest);
  }
  return [
    ...wishes,
    ...versionWish(gateway, controller),
    ...statusWish(gateway, withForeign(gateway, status, inTheWay)),
  ];
}

const CONTROLLERS: readonly string[] = [WAYPOINT_CONTROLLER, GATEWAY_CONTROLLER];

/** Null for a Gateway that somebody else runs. */
function controllerOf(
  gateway: Gateway,
  { cluster }: WaypointInputs,
  context: Context,
): string | null {
  const version = Number(annotationsOf(gateway)[CONTROLLER_VERSION] ?? OUR_VERSION);
  if (version > OUR_VERSION) return null;
  const classKey = objectKey('', gateway.spec.gatewayClassName);
  const controller = context.get(cluster.of('GatewayClass'), classKey)?.spec.controllerName;
  return controller !== undefined && CONTROLLERS.includes(controller) ? controller : null;
}

function objectWish(
  gateway: Gateway,
  manifest: Manifest,
  cluster: ClusterInputs,
  context: Context,
): KeyedWish | null {
  const { kind } = manifest;
  const { namespace, name } = manifest.metadata;
  const existing: LabelledObject | undefined = context.get(
    cluster.anyOf(kind) as unknown as Collection<LabelledObject>,
    objectKey(namespace, name),
  );
  if (existing !== undefined && isContained(manifest, existing)) return null;
  const path = `${collectionPath(WATCHED_KINDS[kind], namespace)}/${name}`;
  const version = existing?.metadata.resourceVersion ?? '';
  const fingerprint = `${version} ${JSON.stringify(manifest)}`;
  const write = { verb: 'applyOwned', path, manifest, gateway: keyOf(gateway) } as const;
  return [path, { fingerprint, write }];
}

function versionWish(gateway: Gateway, controller: string): readonly KeyedWish[] {
  if (annotationsOf(gateway)[CONTROLLER_VERSION] === String(OUR_VERSION)) return [];
  const namespace = namespaceOf(gateway);
  const name = nameOf(gateway);
  const path = `${collectionPath(WATCHED_KINDS.Gateway, namespace)}/${name}`;
  const annotations = { [CONTROLLER_VERSION]: String(OUR_VERSION) };
  const { apiVersion } = WATCHED_KINDS.Gateway;
  const body = { apiVersion, kind: 'Gateway', metadata: { namespace, name, annotations } };
  const write = { verb: 'apply', path, body, fieldManager: controller } as const;
  return [[path, { fingerprint: CONTROLLER_VERSION, write }]];
}
