/** What the admin ports show. */
import type { Registry } from 'prom-client';
import type { DiscoveryServer } from '../push/discovery-server.ts';
import type { Publisher } from '../push/publisher.ts';
import type { AdminPages } from './admin-server.ts';

export interface PageDeps {
  readonly publisher: Publisher;
  readonly discovery: DiscoveryServer;
  readonly registry: Registry;
  readonly version: string;
  readonly settings: Readonly<Record<string, unknown>>;
  /** What somebody should attend to, in sentences. */
  readonly notices: () => readonly string[];
}

const JSON_TYPE = 'application/json';

/** `/ready` answers 200 once a complete snapshot is served; what somebody should attend to follows, line by line. */
export function probePages({
  publisher,
  notices,
}: Pick<PageDeps, 'publisher' | 'notices'>): AdminPages {
  const readiness = (): string => ['ready', ...notices()].map((line) => `${line}\n`).join('');
  return {
    '/ready': {
      contentType: 'text/plain',
      body: () => (publisher.current === null ? null : readiness()),
    },
  };
}

export function monitoringPages(deps: PageDeps): AdminPages {
  const { registry, version, settings } = deps;
  const json = (body: () => unknown) => ({
    contentType: JSON_TYPE,
    body: () => `${JSON.stringify(body(), null, 2)}\n`,
  });
  return {
    ...probePages(deps),
    '/metrics': { contentType: registry.contentType, body: () => registry.metrics() },
    '/version': { contentType: 'text/plain', body: () => `${version}\n` },
    '/debug/syncz': json(() => syncStatus(deps.discovery)),
    '/debug/config': json(() => settings),
    '/debug/derived': json(() => provenance(deps.publisher)),
  };
}

/** Each proxy with the state of each type, as `envoy.service.status.v3.ClientConfig` in JSON (spec 3.8). */
function syncStatus({ connections }: DiscoveryServer): unknown[] {
  return connections.map(({ proxy, statuses, connectedAt }) => ({
    node: {
      id: proxy.id,
      metadata: {
        CLUSTER_ID: proxy.clusterId,
        NAMESPACE: proxy.namespace,
        ISTIO_VERSION: proxy.version,
        NODE_NAME: proxy.nodeName,
      },
    },
    connectedAt: connectedAt.toISOString(),
    genericXdsConfigs: [...statuses]
      .toSorted(([a], [b]) => a.localeCompare(b))
      .map(([typeUrl, { status, lastError, lastSentAt }]) => ({
        typeUrl,
        configStatus: status,
        ...(lastSentAt !== null && { lastUpdated: lastSentAt.toISOString() }),
        ...(lastError !== null && { errorState: { details: lastError } }),
      })),
  }));
}

/** Every derived resource with its version and the objects that produced it. */
function provenance(publisher: Publisher): unknown {
  const { current } = publisher;
  if (current === null) return {};
  return Object.fromEntries(
    [...current.served.all()].map(([type, resources]) => [
      type,
      [...resources.values()].map(({ name, version, sources }) => ({ name, version, sources })),
    ]),
  );
}
