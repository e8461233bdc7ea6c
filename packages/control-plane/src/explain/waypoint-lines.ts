/** What a waypoint is served of one service: cluster, endpoints, filter chains with their routes and policies. */
import {
  CLUSTER_TYPE,
  ENDPOINT_TYPE,
  type ExplainedLine,
  LISTENER_TYPE,
  type Reason,
} from '@aquifer/wire';
import { create, type JsonObject } from '@bufbuild/protobuf';
import { AnySchema } from '@bufbuild/protobuf/wkt';
import { anyInJson } from '../admin/debug/proxy-dump.ts';
import type { OwnedResource } from '../derive/l7/waypoint-collections.ts';
import { type Explained, line, reasonsFor } from './explanation.ts';

/** Which parts of a chain are meant. */
export interface ChainFilter {
  readonly isChain: (name: string) => boolean;
  readonly isRoute: (route: JsonObject) => boolean;
  readonly isPolicy: (name: string) => boolean;
}

export const WHOLE_CHAIN: Omit<ChainFilter, 'isChain'> = {
  isRoute: () => true,
  isPolicy: () => true,
};

export function clusterLines(
  explained: Explained,
  waypoint: string,
  isMeant: (name: string) => boolean,
): ExplainedLine[] {
  const { clusters, endpoints } = explained.waypoints;
  return ownedBy(clusters.entries(), waypoint, isMeant).map(([key, { resource }]) => {
    const assignment = endpoints.get(key);
    return line({
      what: 'cluster',
      name: resource.name,
      detail: String(inJson(CLUSTER_TYPE, resource.bytes).type ?? ''),
      because: reasonsFor(clusters, key),
      lines:
        assignment === undefined
          ? []
          : endpointLines(explained, assignment, reasonsFor(endpoints, key)),
    });
  });
}

function endpointLines(
  { cluster }: Explained,
  { resource }: OwnedResource,
  because: readonly Reason[],
): ExplainedLine[] {
  const pods = because.filter(({ object }) => object.kind === 'Pod');
  const addressesOf = ({ object }: Reason): readonly (string | undefined)[] => {
    const { podIP, podIPs = [] } = cluster.get('Pod', object.namespace, object.name)?.status ?? {};
    return [podIP, ...podIPs.map(({ ip }) => ip)];
  };
  const groups = listOf(inJson(ENDPOINT_TYPE, resource.bytes).endpoints);
  return groups
    .flatMap((group) => listOf(group.lbEndpoints))
    .map((host) => {
      const name = addressIn(host);
      const address = name.slice(0, name.lastIndexOf(':')).replace(/^\[|\]$/g, '');
      return line({
        what: 'endpoint',
        name,
        detail: String(host.healthStatus ?? ''),
        because: pods.filter((reason) => addressesOf(reason).includes(address)),
      });
    });
}

/** `ip:port`, of a tunnel as of a socket. */
function addressIn(host: JsonObject): string {
  const text = JSON.stringify(host);
  const [, tunnelled] = /"endpointId":"([^"]+)"/.exec(text) ?? [];
  if (tunnelled !== undefined) return tunnelled;
  const [, address = ''] = /"address":"([^"]+)"/.exec(text) ?? [];
  const [, port = ''] = /"portValue":(\d+)/.exec(text) ?? [];
  return `${address}:${port}`;
}

export function listenerLines(
  explained: Explained,
  waypoint: string,
  filter: ChainFilter,
): ExplainedLine[] {
  const { listeners, clusters } = explained.waypoints;
  return ownedBy(listeners.entries(), waypoint, () => true).flatMap(([, { resource }]) => {
    const chains = listOf(inJson(LISTENER_TYPE, resource.bytes).filterChains).filter((chain) =>
      filter.isChain(String(chain.name ?? '')),
    );
    const lines = chains.flatMap((chain) => {
      const name = String(chain.name);
      const because = reasonsFor(clusters, `${waypoint} ${name}`);
      const inner = [...policyLines(chain, filter, because), ...routeLines(chain, filter, because)];
      const isMeant = inner.length > 0 || filter.isRoute === WHOLE_CHAIN.isRoute;
      return isMeant ? [line({ what: 'filter chain', name, because, lines: inner })] : [];
    });
    return lines.length === 0 ? [] : [line({ what: 'listener', name: resource.name, lines })];
  });
}

function policyLines(
  chain: JsonObject,
  { isPolicy }: ChainFilter,
  because: readonly Reason[],
): ExplainedLine[] {
  const names = objectsWith(chain, 'policies').flatMap(({ policies, action }) =>
    Object.keys((policies ?? {}) as JsonObject).map(
      (name) => [name, String(action ?? 'ALLOW')] as const,
    ),
  );
  return names
    .filter(([name]) => isPolicy(name))
    .map(([name, detail]) =>
      line({
        what: 'policy',
        name,
        detail,
        because: because.filter(
          ({ object }) =>
            object.kind === 'AuthorizationPolicy' && name.includes(`policy[${object.name}]`),
        ),
      }),
    );
}

const ROUTE_KINDS: readonly string[] = ['HTTPRoute', 'GRPCRoute', 'VirtualService', 'TCPRoute'];

function routeLines(
  chain: JsonObject,
  { isRoute }: ChainFilter,
  because: readonly Reason[],
): ExplainedLine[] {
  const routes = objectsWith(chain, 'virtualHosts')
    .flatMap(({ virtualHosts }) => listOf(virtualHosts))
    .flatMap(({ routes: own }) => listOf(own));
  const ofRoutes = because.filter(({ object }) => ROUTE_KINDS.includes(object.kind));
  return routes.filter(isRoute).map((route) => {
    const name = String(route.name ?? '');
    return line({
      what: 'route',
      name: name || matchOf(route),
      detail: `${matchOf(route)} → ${targetsOf(route).join(', ')}`,
      because: ofRoutes.flatMap((reason) => ofRule(reason, name)),
    });
  });
}

/** Rules of Gateway API's routes make routes named `<namespace>.<name>.<rule>`: those fields only. */
function ofRule({ object, fields }: Reason, routeName: string): Reason[] {
  const own = `${object.namespace}.${object.name}.`;
  const rule = routeName.startsWith(own) ? routeName.slice(own.length) : '';
  if (!/^\d+$/.test(rule)) return [{ object, fields }];
  return [{ object, fields: fields.filter((field) => field.startsWith(`spec.rules[${rule}]`)) }];
}

function matchOf({ match }: JsonObject): string {
  const { headers, queryParameters, ...path } = (match ?? {}) as JsonObject;
  const [[how, value] = ['', '']] = Object.entries(path);
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  const more = listOf(headers).length + listOf(queryParameters).length;
  return `${how} ${text}${more > 0 ? ` and ${more} more` : ''}`.trim();
}

/** Names of clusters with their weights, or what is done instead. */
function targetsOf(route: JsonObject): string[] {
  if (route.redirect !== undefined) return ['redirect'];
  if (route.directResponse !== undefined) {
    return [`status ${String((route.directResponse as JsonObject).status)}`];
  }
  const { cluster, weightedClusters } = (route.route ?? {}) as JsonObject;
  if (typeof cluster === 'string') return [cluster];
  return listOf((weightedClusters as JsonObject | undefined)?.clusters).map(
    ({ name, weight }) => `${String(name)} (${String(weight ?? 0)})`,
  );
}

function ownedBy(
  entries: Iterable<readonly [string, OwnedResource]>,
  waypoint: string,
  isMeant: (name: string) => boolean,
): (readonly [string, OwnedResource])[] {
  return [...entries]
    .filter(([, owned]) => owned.waypoint === waypoint && isMeant(owned.resource.name))
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
}

function inJson(typeUrl: string, value: Uint8Array): JsonObject {
  return anyInJson(create(AnySchema, { typeUrl, value })) as JsonObject;
}

function listOf(value: unknown): JsonObject[] {
  return Array.isArray(value) ? (value as JsonObject[]) : [];
}

/** Every object anywhere below that has the field. */
function objectsWith(value: unknown, field: string): JsonObject[] {
  if (typeof value !== 'object' || value === null) return [];
  const inner = Object.values(value).flatMap((part) => objectsWith(part, field));
  return field in value ? [value as JsonObject, ...inner] : inner;
}
