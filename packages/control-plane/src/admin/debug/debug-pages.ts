/** `/debug/…`: one table for HTTP and for debugging over ADS (spec control-plane 3.2, 3.5). */
import { ENDPOINT_TYPE } from '@aquifer/wire';
import { EXPLAINED_KINDS, explain } from '../../explain/explain.ts';
import type { Explained } from '../../explain/explanation.ts';
import type { ObjectRef } from '../../ingest/kinds.ts';
import type { DiscoveryConnection, DiscoveryServer } from '../../push/discovery-server.ts';
import type { Published, Publisher } from '../../push/publisher.ts';
import {
  ambient,
  authorizations,
  configuration,
  endpoints,
  instances,
  meshSettings,
  networks,
  registry,
} from './mesh-pages.ts';
import { anyInJson, proxyDump, resourcesInJson } from './proxy-dump.ts';
import { syncStatus } from './sync-status.ts';
import { maySee, type Viewer } from './viewer.ts';

export interface DebugSource {
  readonly publisher: Publisher;
  readonly discovery: Pick<DiscoveryServer, 'connections'>;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly derivation: Explained;
}

/** A page as JSON, or why there is none: an HTTP status and a sentence. */
export type DebugAnswer =
  | { readonly kind: 'page'; readonly body: unknown }
  | { readonly kind: 'refused'; readonly status: 400 | 403 | 404 | 503; readonly message: string };

type Page =
  /** For operators. */
  | {
      readonly of: 'mesh';
      readonly show: (published: Published, source: DebugSource) => unknown;
    }
  /** One object, which the query names by `kind`, `namespace` and `name`; for operators. */
  | {
      readonly of: 'object';
      readonly show: (object: ObjectRef, source: DebugSource) => unknown;
    }
  /** All proxies that the viewer may see. */
  | { readonly of: 'proxies'; readonly show: (proxies: readonly DiscoveryConnection[]) => unknown }
  /** The proxy that `proxyID` names. */
  | { readonly of: 'proxy'; readonly show: (proxy: DiscoveryConnection) => unknown };

const PAGES: Readonly<Record<string, Page>> = {
  adsz: { of: 'proxies', show: clients },
  ambientz: { of: 'mesh', show: ambient },
  authorizationz: { of: 'mesh', show: authorizations },
  clusterz: {
    of: 'mesh',
    show: (_, { settings }) => [{ id: settings.clusterId, syncStatus: 'synced' }],
  },
  config: { of: 'mesh', show: (_, { settings }) => settings },
  config_dump: { of: 'proxy', show: (proxy) => ({ configs: proxyDump(proxy).map(anyInJson) }) },
  configz: { of: 'mesh', show: configuration },
  connections: { of: 'proxies', show: clients },
  derived: { of: 'mesh', show: provenance },
  edsz: { of: 'proxy', show: (proxy) => resourcesInJson(proxy, ENDPOINT_TYPE) },
  endpointz: { of: 'mesh', show: endpoints },
  explain: { of: 'object', show: (object, { derivation }) => explain(object, derivation) },
  instancesz: { of: 'mesh', show: instances },
  list: { of: 'proxies', show: () => Object.keys(PAGES).filter((name) => name !== 'list') },
  mesh: { of: 'mesh', show: meshSettings },
  ndsz: { of: 'proxy', show: (proxy) => resourcesInJson(proxy, NAME_TABLE_TYPE) },
  networkz: { of: 'mesh', show: networks },
  registryz: { of: 'mesh', show: registry },
  resourcesz: { of: 'proxy', show: allResources },
  syncz: { of: 'proxies', show: (proxies) => proxies.map(syncStatus) },
};

const NAME_TABLE_TYPE = 'type.googleapis.com/istio.networking.nds.v1.NameTable';

/** `target` is what follows `/debug/`, such as `config_dump?proxyID=web.shop`. */
export function debugPage(target: string, viewer: Viewer, source: DebugSource): DebugAnswer {
  const [name = '', query = ''] = target.split('?', 2);
  const page = Object.hasOwn(PAGES, name) ? PAGES[name] : undefined;
  if (page === undefined) {
    return refused(404, `there is no /debug/${name}; /debug/list has what there is`);
  }
  const parameters = new URLSearchParams(query);
  switch (page.of) {
    case 'mesh':
    case 'object': {
      if (viewer.kind !== 'operator') {
        return refused(403, `/debug/${name} is for accounts of the system namespace`);
      }
      const { current } = source.publisher;
      if (current === null) return refused(503, 'not ready');
      if (page.of === 'object') return objectPage(page, parameters, source);
      return { kind: 'page', body: page.show(current, source) };
    }
    case 'proxies': {
      const namespace = parameters.get('namespace');
      const shown = visible(viewer, source).filter(
        ({ proxy }) => namespace === null || proxy.namespace === namespace,
      );
      return { kind: 'page', body: page.show(shown) };
    }
    case 'proxy':
      return proxyPage(page, parameters.get('proxyID'), visible(viewer, source));
  }
}

function objectPage(
  page: Page & { readonly of: 'object' },
  parameters: URLSearchParams,
  source: DebugSource,
): DebugAnswer {
  const [kind, namespace, name] = ['kind', 'namespace', 'name'].map((key) => parameters.get(key));
  if (!kind || !name) {
    return refused(
      400,
      `name an object: ?kind=&namespace=&name=, of ${EXPLAINED_KINDS.join(', ')}`,
    );
  }
  const body = page.show({ kind, namespace: namespace ?? '', name }, source);
  return body === null
    ? refused(404, `there is no ${kind} ${namespace}/${name} that can be explained`)
    : { kind: 'page', body };
}

function proxyPage(
  page: Page & { readonly of: 'proxy' },
  id: string | null,
  connections: readonly DiscoveryConnection[],
): DebugAnswer {
  if (id === null) return refused(400, 'You must provide a proxyID in the query string');
  const found = proxyNamed(id, connections);
  return found === undefined
    ? refused(
        404,
        'Proxy not connected to this Pilot instance. It may be connected to another instance.',
      )
    : { kind: 'page', body: page.show(found) };
}

/** `pod.namespace`, or the id of the node. */
export function proxyNamed(
  id: string,
  connections: readonly DiscoveryConnection[],
): DiscoveryConnection | undefined {
  return connections.findLast(
    ({ proxy }) => proxy.id === id || `${proxy.podName}.${proxy.namespace}` === id,
  );
}

/** Proxies that have asked for configuration: not whoever only debugs. */
export function visible(
  viewer: Viewer,
  { discovery }: Pick<DebugSource, 'discovery'>,
): readonly DiscoveryConnection[] {
  return discovery.connections.filter(
    ({ proxy, statuses }) => statuses.size > 0 && maySee(viewer, proxy),
  );
}

function refused(status: 400 | 403 | 404 | 503, message: string): DebugAnswer {
  return { kind: 'refused', status, message };
}

function clients(connections: readonly DiscoveryConnection[]): unknown {
  return {
    totalClients: connections.length,
    clients: connections.map(({ proxy, connectedAt, statuses }) => ({
      connectionId: proxy.id,
      connectedAt: connectedAt.toISOString(),
      address: proxy.ip,
      metadata: proxy.metadata,
      watches: [...statuses.keys()].toSorted(),
    })),
  };
}

function allResources(proxy: DiscoveryConnection): unknown {
  const types = [...proxy.statuses.keys()].toSorted();
  return Object.fromEntries(types.map((type) => [type, resourcesInJson(proxy, type)]));
}

/** Every derived resource with its version and the objects that produced it. */
function provenance({ served }: Published): unknown {
  return Object.fromEntries(
    Array.from(served.all(), ([type, resources]) => [
      type,
      Array.from(resources.values(), ({ name, version, sources }) => ({ name, version, sources })),
    ]),
  );
}
