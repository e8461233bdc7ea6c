/** Whether proxies have what they were sent (spec control-plane 3.8), as istioctl reads it and as Kiali does. */
import { CLUSTER_TYPE, ENDPOINT_TYPE, LISTENER_TYPE, ROUTE_TYPE } from '@aquifer/wire';
import {
  type ClientConfig,
  ClientConfigSchema,
  ConfigStatus,
} from '@aquifer/wire/gen/envoy/service/status/v3_pb';
import { create, type JsonObject, toJson } from '@bufbuild/protobuf';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import type { SubscriptionStatus } from '../../push/acknowledgements.ts';
import type { DiscoveryConnection } from '../../push/discovery-server.ts';

/** Names of Istio's SyncStatus, which Kiali reads. */
const SENT_FIELDS = {
  cluster: CLUSTER_TYPE,
  listener: LISTENER_TYPE,
  route: ROUTE_TYPE,
  endpoint: ENDPOINT_TYPE,
} as const;

/** One proxy, its types sorted by URL. */
export function clientConfig({ proxy, statuses }: DiscoveryConnection): ClientConfig {
  const metadata = {
    CLUSTER_ID: proxy.clusterId,
    NAMESPACE: proxy.namespace,
    ISTIO_VERSION: proxy.version,
    NODE_NAME: proxy.nodeName,
  };
  return create(ClientConfigSchema, {
    node: { id: proxy.id, metadata },
    genericXdsConfigs: [...statuses]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([typeUrl, { status, lastError, lastSentAt }]) => ({
        typeUrl,
        configStatus: ConfigStatus[status],
        ...(lastSentAt !== null && { lastUpdated: timestampFromDate(lastSentAt) }),
        ...(lastError !== null && { errorState: { details: lastError } }),
      })),
  });
}

/** The same in JSON, with the fields of Istio's SyncStatus beside it. */
export function syncStatus(connection: DiscoveryConnection): JsonObject {
  const { proxy, connectedAt, statuses } = connection;
  return {
    ...(toJson(ClientConfigSchema, clientConfig(connection)) as JsonObject),
    connectedAt: connectedAt.toISOString(),
    cluster_id: proxy.clusterId,
    proxy: `${proxy.podName}.${proxy.namespace}`,
    proxy_type: proxy.type,
    istio_version: proxy.version,
    ...Object.fromEntries(
      Object.entries(SENT_FIELDS).flatMap(([field, typeUrl]) => {
        const { nonceSent = '', nonceAcked = '' }: Partial<SubscriptionStatus> =
          statuses.get(typeUrl) ?? {};
        return [
          [`${field}_sent`, nonceSent],
          [`${field}_acked`, nonceAcked],
        ];
      }),
    ),
  };
}
