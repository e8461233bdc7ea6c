/** Turns Gateways of the waypoint class into running waypoints, and says so in their status (spec control-plane 5). */
import type { Gateway, GatewayClass } from '@aquifer/model/resources';
import type { Context } from '../collections/cell.ts';
import type { Collection } from '../collections/collection.ts';
import type { Graph } from '../collections/graph.ts';
import { WAYPOINT_CONTROLLER } from '../derive/labels.ts';
import type { MeshSettings } from '../derive/mesh.ts';
import type { MeshCollections } from '../derive/mesh-collections.ts';
import { annotationsOf, type LabelledObject, nameOf, namespaceOf } from '../derive/object.ts';
import { type ClusterInputs, keyOf, objectKey } from '../ingest/cluster-inputs.ts';
import { collectionPath, WATCHED_KINDS } from '../ingest/kinds.ts';
import { isManaged } from '../ingest/revision.ts';
import type { ForeignObjects } from '../reconcile/owner.ts';
import { isSameWish, type Manifest, type Wish } from '../reconcile/wish.ts';
import { type ConditionText, isPresent, withTransitionTime } from '../status/condition-list.ts';
import { isContained } from './contained.ts';
import {
  type DerivedGatewayStatus,
  deriveGatewayStatus,
  isManual,
  withForeign,
} from './gateway-status.ts';
import { CONTROLLER_VERSION, waypointManifests } from './waypoint-manifests.ts';
import type { WaypointSettings } from './waypoint-settings.ts';

export interface WaypointInputs {
  readonly cluster: ClusterInputs;
  readonly mesh: MeshCollections;
  /** What stands in the way of waypoints. */
  readonly foreign: ForeignObjects;
  readonly settings: Omit<WaypointSettings, 'network'> & MeshSettings;
}

const CLASS_NAME = 'istio-waypoint';
const STATUS_MANAGER = 'istio.io/gateway-controller';
/** Newer controllers raise it; objects of a newer one are left alone. */
const OUR_VERSION = 5;

type KeyedWish = readonly [string, Wish];

/** Every write that the waypoints of the cluster still lack. */
export function waypointWishes(graph: Graph, inputs: WaypointInputs): Collection<Wish> {
  const { cluster } = inputs;
  const once = graph.constant('waypoint class', CLASS_NAME);
  const { GatewayClass: classKind } = WATCHED_KINDS;
  return graph.union(
    'wishes for waypoints',
    graph.flatMap(
      'wishes for the waypoint class',
      once,
      (name, context) => {
        const isThere = context.get(cluster.of('GatewayClass'), objectKey('', name)) !== undefined;
        return isThere ? [] : [classWish(name)];
      },
      isSameWish,
    ),
    graph.flatMap(
      'wishes for classes',
      cluster.of('GatewayClass'),
      (gatewayClass) => classStatusWish(gatewayClass, collectionPath(classKind)),
      isSameWish,
    ),
    graph.flatMap(
      'wishes for Gateways',
      cluster.of('Gateway'),
      (gateway, context) => gatewayWishes(gateway, inputs, context),
      isSameWish,
    ),
  );
}

function classWish(name: string): KeyedWish {
  const { GatewayClass: kind } = WATCHED_KINDS;
  const body = {
    apiVersion: kind.apiVersion,
    kind: 'GatewayClass',
    metadata: { name },
    spec: { controllerName: WAYPOINT_CONTROLLER, description: 'The default Istio waypoint' },
  };
  const write = { verb: 'create', path: collectionPath(kind), body } as const;
  return [`GatewayClass/${name}`, { fingerprint: 'exists', write }];
}

function classStatusWish(
  { metadata, spec, status }: GatewayClass,
  collection: string,
): readonly KeyedWish[] {
  if (spec.controllerName !== WAYPOINT_CONTROLLER) return [];
  const wanted = {
    type: 'Accepted',
    status: 'True',
    reason: 'Accepted',
    message: 'Handled by Istio controller',
    observedGeneration: metadata.generation ?? 0,
  };
  if (isPresent(wanted, status?.conditions)) return [];
  const name = metadata.name ?? '';
  const conditions = [withTransitionTime(wanted, status?.conditions)];
  const { apiVersion } = WATCHED_KINDS.GatewayClass;
  const body = { apiVersion, kind: 'GatewayClass', metadata: { name }, status: { conditions } };
  const path = `${collection}/${name}/status`;
  const fingerprint = JSON.stringify([metadata.resourceVersion, wanted]);
  const write = { verb: 'apply', path, body, fieldManager: STATUS_MANAGER } as const;
  return [[`GatewayClass/${name} status`, { fingerprint, write }]];
}

function gatewayWishes(
  gateway: Gateway,
  inputs: WaypointInputs,
  context: Context,
): readonly KeyedWish[] {
  const { cluster, mesh, foreign } = inputs;
  if (!isOurs(gateway, inputs, context) || gateway.metadata.deletionTimestamp !== undefined) {
    return [];
  }
  const namespace = context.get(cluster.of('Namespace'), objectKey('', namespaceOf(gateway)));
  if (!isManaged(gateway, namespace, inputs.settings.revision)) return [];
  const wishes: KeyedWish[] = [];
  const status = deriveGatewayStatus(gateway, inputs, context);
  if (isManual(gateway)) return statusWish(gateway, status);
  const network = context.get(mesh.network, '') ?? '';
  const inTheWay: Manifest[] = [];
  for (const manifest of waypointManifests(gateway, { ...inputs.settings, network })) {
    const wish = objectWish(gateway, manifest, cluster, context);
    if (wish === null) continue;
    wishes.push(wish);
    const [path] = wish;
    if (context.get(foreign, path) !== undefined) inTheWay.push(manifest);
  }
  return [
    ...wishes,
    ...versionWish(gateway),
    ...statusWish(gateway, withForeign(gateway, status, inTheWay)),
  ];
}

function isOurs(gateway: Gateway, { cluster }: WaypointInputs, context: Context): boolean {
  const version = Number(annotationsOf(gateway)[CONTROLLER_VERSION] ?? OUR_VERSION);
  if (version > OUR_VERSION) return false;
  const classKey = objectKey('', gateway.spec.gatewayClassName);
  const gatewayClass = context.get(cluster.of('GatewayClass'), classKey);
  return gatewayClass?.spec.controllerName === WAYPOINT_CONTROLLER;
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

function versionWish(gateway: Gateway): readonly KeyedWish[] {
  if (annotationsOf(gateway)[CONTROLLER_VERSION] === String(OUR_VERSION)) return [];
  const namespace = namespaceOf(gateway);
  const name = nameOf(gateway);
  const path = `${collectionPath(WATCHED_KINDS.Gateway, namespace)}/${name}`;
  const annotations = { [CONTROLLER_VERSION]: String(OUR_VERSION) };
  const { apiVersion } = WATCHED_KINDS.Gateway;
  const body = { apiVersion, kind: 'Gateway', metadata: { namespace, name, annotations } };
  const write = { verb: 'apply', path, body, fieldManager: WAYPOINT_CONTROLLER } as const;
  return [[path, { fingerprint: CONTROLLER_VERSION, write }]];
}

function statusWish(gateway: Gateway, wanted: DerivedGatewayStatus): readonly KeyedWish[] {
  const observedGeneration = gateway.metadata.generation ?? 0;
  const stored = gateway.status;
  if (isStatusWritten(gateway, wanted, observedGeneration)) return [];
  const complete = (conditions: readonly ConditionText[], old: Conditions) =>
    conditions.map((text) => withTransitionTime({ ...text, observedGeneration }, old));
  const status = {
    addresses: wanted.addresses,
    conditions: complete(wanted.conditions, stored?.conditions),
    listeners: wanted.listeners.map((listener) => ({
      ...listener,
      conditions: complete(listener.conditions, storedListener(gateway, listener.name)?.conditions),
    })),
  };
  const namespace = namespaceOf(gateway);
  const name = nameOf(gateway);
  const path = `${collectionPath(WATCHED_KINDS.Gateway, namespace)}/${name}/status`;
  const { apiVersion } = WATCHED_KINDS.Gateway;
  const body = { apiVersion, kind: 'Gateway', metadata: { namespace, name }, status };
  const fingerprint = JSON.stringify([gateway.metadata.resourceVersion, wanted]);
  const write = { verb: 'apply', path, body, fieldManager: STATUS_MANAGER } as const;
  return [[path, { fingerprint, write }]];
}

type GatewayStatus = NonNullable<Gateway['status']>;
type Conditions = GatewayStatus['conditions'];

function storedListener(gateway: Gateway, name: string) {
  return gateway.status?.listeners?.find((listener) => listener.name === name);
}

function isStatusWritten(
  gateway: Gateway,
  wanted: DerivedGatewayStatus,
  observedGeneration: number,
): boolean {
  const areWritten = (conditions: readonly ConditionText[], stored: Conditions): boolean =>
    conditions.every((text) => isPresent({ ...text, observedGeneration }, stored));
  const { addresses = [], conditions, listeners = [] } = gateway.status ?? {};
  return (
    isContained(wanted.addresses, addresses) &&
    listeners.length === wanted.listeners.length &&
    areWritten(wanted.conditions, conditions) &&
    wanted.listeners.every((listener) =>
      areWritten(listener.conditions, storedListener(gateway, listener.name)?.conditions),
    )
  );
}
