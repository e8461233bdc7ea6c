/** The statuses of Gateways that describe what runs elsewhere (recording wds/29). */
import type { Gateway } from '@aquifer/model/resources';
import type { Collection } from '../collections/collection.ts';
import type { Graph } from '../collections/graph.ts';
import { REMOTE_CLASS } from '../derive/network-gateways.ts';
import { namespaceOf } from '../derive/object.ts';
import { type ClusterInputs, objectKey } from '../ingest/cluster-inputs.ts';
import { isManaged } from '../ingest/revision.ts';
import { isSameWish, type Wish } from '../reconcile/wish.ts';
import type { DerivedGatewayStatus } from './gateway-status.ts';
import { statusWish } from './gateway-status-wish.ts';

/** Its addresses are those that it names. */
export function deriveRemoteStatus({ spec }: Gateway): DerivedGatewayStatus {
  return {
    addresses: (spec.addresses ?? []).map(({ type = 'IPAddress', value = '' }) => ({
      type,
      value,
    })),
    conditions: [
      { type: 'Accepted', status: 'True', reason: 'Accepted', message: 'Resource accepted' },
      {
        type: 'Programmed',
        status: 'True',
        reason: 'Programmed',
        message: 'This Gateway is remote; Istio will not program it',
      },
    ],
    listeners: [],
  };
}

export function remoteGatewayWishes(
  graph: Graph,
  cluster: ClusterInputs,
  revision: string,
): Collection<Wish> {
  return graph.flatMap(
    'wishes for remote Gateways',
    cluster.of('Gateway'),
    (gateway, context) => {
      const { deletionTimestamp } = gateway.metadata;
      if (gateway.spec.gatewayClassName !== REMOTE_CLASS || deletionTimestamp !== undefined) {
        return [];
      }
      const namespace = context.get(cluster.of('Namespace'), objectKey('', namespaceOf(gateway)));
      if (!isManaged(gateway, namespace, revision)) return [];
      return statusWish(gateway, deriveRemoteStatus(gateway));
    },
    isSameWish,
  );
}
