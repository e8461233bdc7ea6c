/** The statuses of ListenerSets (Gateway API GEP-1713, spec l7 4.2, 4.9). */
import type { ListenerSet } from '@aquifer/model/resources';
import type { Context } from '../collections/cell.ts';
import type { Collection } from '../collections/collection.ts';
import type { Graph } from '../collections/graph.ts';
import { gatewayOfSet } from '../derive/gateway-api/gateway-api-collections.ts';
import { GATEWAY_CONTROLLER, WAYPOINT_CONTROLLER } from '../derive/labels.ts';
import { nameOf, namespaceOf } from '../derive/object.ts';
import { objectKey } from '../ingest/cluster-inputs.ts';
import { collectionPath, WATCHED_KINDS } from '../ingest/kinds.ts';
import { isSameWish, type Wish } from '../reconcile/wish.ts';
import type { ConditionText } from '../status/condition-list.ts';
import { assign, programmed } from './gateway-addresses.ts';
import {
  ACCEPTED,
  attachedTo,
  type GatewayStatusInputs,
  listenersAccepted,
} from './gateway-status.ts';
import {
  isListenerStatusWritten,
  STATUS_MANAGER,
  writtenListeners,
} from './gateway-status-wish.ts';
import { type ListenerStatus, listenerStatus } from './listener-status.ts';

export interface DerivedSetStatus {
  readonly conditions: readonly ConditionText[];
  readonly listeners: readonly ListenerStatus[];
}

/** Null where the parent is nobody's that is run here. */
export function deriveSetStatus(
  set: ListenerSet,
  inputs: GatewayStatusInputs,
  context: Context,
): DerivedSetStatus | null {
  const { cluster, gatewayApi } = inputs;
  const key = gatewayOfSet(set);
  const gateway = key === null ? undefined : context.get(cluster.of('Gateway'), key);
  if (key === null || gateway === undefined) return null;
  const { gatewayClassName } = gateway.spec;
  const found = context.get(cluster.of('GatewayClass'), objectKey('', gatewayClassName));
  const served = context.get(gatewayApi.gateways, key);
  if (found?.spec.controllerName === WAYPOINT_CONTROLLER) {
    return notAllowed(`The "${gatewayClassName}" GatewayClass does not support ListenerSet`);
  }
  if (served === undefined) return null;
  const [namespace, name] = [namespaceOf(set), nameOf(set)];
  if (!served.sets.some((one) => one.namespace === namespace && one.name === name)) {
    const message =
      "The parent Gateway does not allow this reference; check the 'spec.allowedListeners'";
    return notAllowed(message);
  }
  const own = served.listeners.filter(
    ({ owner }) =>
      owner.kind === 'ListenerSet' && owner.namespace === namespace && owner.name === name,
  );
  const ports = [...new Set(own.map(({ port }) => port))];
  const { services } = served;
  const of = { gateway, controller: GATEWAY_CONTROLLER, services, ports };
  return {
    conditions: [listenersAccepted(own) ?? ACCEPTED, programmed(assign(of, inputs, context))],
    listeners: own.map((listener) =>
      listenerStatus(listener, attachedTo(listener, inputs, context)),
    ),
  };
}

function notAllowed(message: string): DerivedSetStatus {
  const said = { status: 'False', reason: 'NotAllowed', message };
  return {
    conditions: [
      { type: 'Accepted', ...said },
      { type: 'Programmed', ...said },
    ],
    listeners: [],
  };
}

export function listenerSetWishes(graph: Graph, inputs: GatewayStatusInputs): Collection<Wish> {
  return graph.flatMap(
    'wishes for ListenerSets',
    inputs.cluster.of('ListenerSet'),
    (set, context): readonly (readonly [string, Wish])[] => {
      const wanted = deriveSetStatus(set, inputs, context);
      if (wanted === null || set.metadata.deletionTimestamp !== undefined) return [];
      if (isListenerStatusWritten(set, wanted)) return [];
      const { ListenerSet: kind } = WATCHED_KINDS;
      const [namespace, name] = [namespaceOf(set), nameOf(set)];
      const path = `${collectionPath(kind, namespace)}/${name}/status`;
      const body = {
        apiVersion: kind.apiVersion,
        kind: 'ListenerSet',
        metadata: { namespace, name },
        status: writtenListeners(set, wanted),
      };
      const fingerprint = JSON.stringify([set.metadata.resourceVersion, wanted]);
      const write = { verb: 'apply', path, body, fieldManager: STATUS_MANAGER } as const;
      return [[path, { fingerprint, write }]];
    },
    isSameWish,
  );
}
