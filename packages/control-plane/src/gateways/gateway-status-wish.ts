/** The status of a Gateway as a write that is missing. */
import type { Gateway } from '@aquifer/model/resources';
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
