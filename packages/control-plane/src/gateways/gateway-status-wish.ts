/** The status of a Gateway or a ListenerSet as a write that is missing. */
import type { Gateway, ObjectMeta } from '@aquifer/model/resources';
import { nameOf, namespaceOf } from '../derive/object.ts';
import { collectionPath, WATCHED_KINDS } from '../ingest/kinds.ts';
import type { Wish } from '../reconcile/wish.ts';
import { type ConditionText, isPresent, withTransitionTime } from '../status/condition-list.ts';
import { isContained } from './contained.ts';
import type { DerivedGatewayStatus } from './gateway-status.ts';

export type KeyedWish = readonly [string, Wish];

/** Who writes the statuses of Gateways and their classes. */
export const STATUS_MANAGER = 'istio.io/gateway-controller';

/** None if it is written already. */
export function statusWish(gateway: Gateway, wanted: DerivedGatewayStatus): readonly KeyedWish[] {
  const { addresses, attachedListenerSets } = wanted;
  const stored = gateway.status;
  if (
    isListenerStatusWritten(gateway, wanted) &&
    isContained(addresses, stored?.addresses ?? []) &&
    attachedListenerSets === stored?.attachedListenerSets
  ) {
    return [];
  }
  const status = {
    addresses,
    ...(attachedListenerSets !== undefined && { attachedListenerSets }),
    ...writtenListeners(gateway, wanted),
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

/** A Gateway or a ListenerSet. */
interface Listening {
  readonly metadata: ObjectMeta;
  readonly status?: Pick<NonNullable<Gateway['status']>, 'conditions' | 'listeners'> | undefined;
}

type Conditions = NonNullable<Listening['status']>['conditions'];
type WantedListeners = Pick<DerivedGatewayStatus, 'conditions' | 'listeners'>;

/** With times and the generation that was looked at. */
export function writtenListeners(object: Listening, wanted: WantedListeners): object {
  const observedGeneration = object.metadata.generation ?? 0;
  const complete = (conditions: readonly ConditionText[], old: Conditions) =>
    conditions.map((text) => withTransitionTime({ ...text, observedGeneration }, old));
  return {
    conditions: complete(wanted.conditions, object.status?.conditions),
    listeners: wanted.listeners.map((listener) => ({
      ...listener,
      conditions: complete(listener.conditions, storedListener(object, listener.name)?.conditions),
    })),
  };
}

function storedListener({ status }: Listening, name: string) {
  return status?.listeners?.find((listener) => listener.name === name);
}

export function isListenerStatusWritten(object: Listening, wanted: WantedListeners): boolean {
  const observedGeneration = object.metadata.generation ?? 0;
  const areWritten = (conditions: readonly ConditionText[], stored: Conditions): boolean =>
    conditions.every((text) => isPresent({ ...text, observedGeneration }, stored));
  const { conditions, listeners = [] } = object.status ?? {};
  return (
    listeners.length === wanted.listeners.length &&
    areWritten(wanted.conditions, conditions) &&
    wanted.listeners.every((listener) => {
      const stored = storedListener(object, listener.name);
      return (
        stored?.attachedRoutes === listener.attachedRoutes &&
        isContained(listener.supportedKinds, stored.supportedKinds ?? []) &&
        areWritten(listener.conditions, stored.conditions)
      );
    })
  );
}
