/** Turns Gateways of the waypoint class into running waypoints, and says so in their status (spec control-plane 5). */
import type { Gateway } from '@aquifer/model/resources';
import { NETWORK_LABEL, WAYPOINT_CONTROLLER } from '../derive/labels.ts';
import type { MeshSettings } from '../derive/mesh.ts';
import {
  annotationsOf,
  type LabelledObject,
  labelsOf,
  nameOf,
  namespaceOf,
} from '../derive/object.ts';
import type { ClusterState } from '../ingest/cluster-state.ts';
import { collectionPath, WATCHED_KINDS } from '../ingest/kinds.ts';
import type { KubernetesApi } from '../ingest/kubernetes-api.ts';
import { isManaged } from '../ingest/revision.ts';
import type { WriteQueue } from '../reconcile/write-queue.ts';
import { type ConditionText, isPresent, withTransitionTime } from '../status/condition-list.ts';
import { isContained } from './contained.ts';
import { type DerivedGatewayStatus, deriveGatewayStatus, isManual } from './gateway-status.ts';
import { applyOwned, type ForeignObjects } from './owned-object.ts';
import { CONTROLLER_VERSION, type Manifest, waypointManifests } from './waypoint-manifests.ts';
import type { WaypointSettings } from './waypoint-settings.ts';

export interface WaypointControllerDeps {
  readonly api: Pick<KubernetesApi, 'get' | 'apply' | 'create'>;
  readonly queue: WriteQueue;
  /** What stands in a waypoint's way; kept from one call to the next. */
  readonly foreign: ForeignObjects;
  readonly settings: Omit<WaypointSettings, 'network'> & MeshSettings;
}

const CLASS_NAME = 'istio-waypoint';
const STATUS_MANAGER = 'istio.io/gateway-controller';
/** Newer controllers raise it; objects of a newer one are left alone. */
const OUR_VERSION = 5;

/** Wishes every write that the state still lacks; call it with each new state. */
export function reconcileWaypoints(state: ClusterState, deps: WaypointControllerDeps): void {
  reconcileClass(state, deps);
  const system = state.Namespace.get('', deps.settings.systemNamespace);
  const settings = { ...deps.settings, network: labelsOf(system)[NETWORK_LABEL] ?? '' };
  for (const gateway of state.Gateway) {
    if (!isOurs(gateway, state) || gateway.metadata.deletionTimestamp !== undefined) continue;
    const namespace = state.Namespace.get('', namespaceOf(gateway));
    if (!isManaged(gateway, namespace, settings.revision)) continue;
    if (isManual(gateway)) deps.foreign.forgetAll(gateway);
    else {
      for (const manifest of waypointManifests(gateway, settings)) {
        reconcileObject(gateway, manifest, state, deps);
      }
      reconcileVersion(gateway, deps);
    }
    const status = deriveGatewayStatus(gateway, state, settings);
    reconcileStatus(gateway, deps.foreign.report(gateway, status), deps);
  }
}

function isOurs(gateway: Gateway, state: ClusterState): boolean {
  const version = Number(annotationsOf(gateway)[CONTROLLER_VERSION] ?? OUR_VERSION);
  if (version > OUR_VERSION) return false;
  const gatewayClass = state.GatewayClass.get('', gateway.spec.gatewayClassName);
  return gatewayClass?.spec.controllerName === WAYPOINT_CONTROLLER;
}

function reconcileClass(state: ClusterState, { api, queue }: WaypointControllerDeps): void {
  const path = collectionPath(WATCHED_KINDS.GatewayClass);
  const { apiVersion } = WATCHED_KINDS.GatewayClass;
  const existing = state.GatewayClass.get('', CLASS_NAME);
  if (existing === undefined) {
    const body = {
      apiVersion,
      kind: 'GatewayClass',
      metadata: { name: CLASS_NAME },
      spec: { controllerName: WAYPOINT_CONTROLLER, description: 'The default Istio waypoint' },
    };
    queue.wish(`GatewayClass/${CLASS_NAME}`, 'exists', () => api.create(path, body));
    return;
  }
  for (const { metadata, spec, status } of state.GatewayClass) {
    if (spec.controllerName !== WAYPOINT_CONTROLLER) continue;
    const wanted = {
      type: 'Accepted',
      status: 'True',
      reason: 'Accepted',
      message: 'Handled by Istio controller',
      observedGeneration: metadata.generation ?? 0,
    };
    if (isPresent(wanted, status?.conditions)) continue;
    const name = metadata.name ?? '';
    const conditions = [withTransitionTime(wanted, status?.conditions)];
    const body = { apiVersion, kind: 'GatewayClass', metadata: { name }, status: { conditions } };
    const fingerprint = JSON.stringify([metadata.resourceVersion, wanted]);
    queue.wish(`GatewayClass/${name} status`, fingerprint, () =>
      api.apply(`${path}/${name}/status`, body, STATUS_MANAGER),
    );
  }
}

function reconcileObject(
  gateway: Gateway,
  manifest: Manifest,
  state: ClusterState,
  { api, queue, foreign }: WaypointControllerDeps,
): void {
  const { kind } = manifest;
  const { namespace, name } = manifest.metadata;
  const existing: LabelledObject | undefined = state[kind].get(namespace, name);
  if (existing !== undefined && isContained(manifest, existing)) {
    foreign.forget(gateway, manifest);
    return;
  }
  const path = `${collectionPath(WATCHED_KINDS[kind], namespace)}/${name}`;
  const version = existing?.metadata.resourceVersion ?? '';
  queue.wish(path, `${version} ${JSON.stringify(manifest)}`, async () => {
    const outcome = await applyOwned({ gateway, manifest, path }, api);
    if (outcome === 'declined') foreign.add(gateway, manifest);
    else foreign.forget(gateway, manifest);
    return outcome;
  });
}

function reconcileVersion(gateway: Gateway, { api, queue }: WaypointControllerDeps): void {
  if (annotationsOf(gateway)[CONTROLLER_VERSION] === String(OUR_VERSION)) return;
  const namespace = namespaceOf(gateway);
  const name = nameOf(gateway);
  const path = `${collectionPath(WATCHED_KINDS.Gateway, namespace)}/${name}`;
  const annotations = { [CONTROLLER_VERSION]: String(OUR_VERSION) };
  const { apiVersion } = WATCHED_KINDS.Gateway;
  const body = { apiVersion, kind: 'Gateway', metadata: { namespace, name, annotations } };
  queue.wish(path, CONTROLLER_VERSION, () => api.apply(path, body, WAYPOINT_CONTROLLER));
}

function reconcileStatus(
  gateway: Gateway,
  wanted: DerivedGatewayStatus,
  { api, queue }: WaypointControllerDeps,
): void {
  const observedGeneration = gateway.metadata.generation ?? 0;
  const stored = gateway.status;
  if (isStatusWritten(gateway, wanted, observedGeneration)) return;
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
  const body = {
    apiVersion: WATCHED_KINDS.Gateway.apiVersion,
    kind: 'Gateway',
    metadata: { namespace, name },
    status,
  };
  queue.wish(path, JSON.stringify([gateway.metadata.resourceVersion, wanted]), () =>
    api.apply(path, body, STATUS_MANAGER),
  );
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
