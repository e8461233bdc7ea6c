/** Routes of a VirtualService that delegates to others, as if it had written them itself (spec l7 1.14, recording l7/09). */
import type { VirtualService, VirtualServiceHttpRoute } from '@aquifer/model/resources';
import type { MeshSettings } from '../mesh.ts';
import { namespaceOf } from '../object.ts';
import { isExportedTo } from './exports.ts';
import { fullHostname } from './hosts.ts';
import type { HttpMatch, StringMatch } from './virtual-service-match.ts';

type HttpRoute = VirtualServiceHttpRoute;
type Names = Pick<MeshSettings, 'clusterDomain'>;

/** Finds a VirtualService. */
export type FindVirtualService = (namespace: string, name: string) => VirtualService | undefined;

/** Whether it is there for others to delegate to. */
function isDelegate({ spec }: VirtualService): boolean {
  return (spec?.hosts ?? []).length === 0;
}

/** The delegate that exists, has no hosts, and is exported to its parent. */
function findDelegate(
  route: HttpRoute,
  parent: VirtualService,
  find: FindVirtualService,
): VirtualService | undefined {
  const { namespace, name = '' } = route.delegate ?? {};
  const found = find(namespace || namespaceOf(parent), name);
  if (found === undefined || !isDelegate(found)) return undefined;
  return isExportedTo(found, namespaceOf(parent)) ? found : undefined;
}

/** Matches that delegation may make in one VirtualService: parents and children multiply, objects are small. */
export const MAX_DELEGATED_MATCHES = 10_000;

/** What becomes of a route that delegates; `too-many` if what is made of it and of those before it is more than the limit. */
export type Delegation = VirtualService | 'none' | 'missing' | 'too-many';

/** Of each route of HTTP, in their order. */
export function delegations(parent: VirtualService, find: FindVirtualService): Delegation[] {
  const sizes = new Map<VirtualService, number>();
  let made = 0;
  return (parent.spec?.http ?? []).map((route) => {
    if (route.delegate === undefined) return 'none';
    const child = findDelegate(route, parent, find);
    if (child === undefined) return 'missing';
    const size = sizes.get(child) ?? matchesIn(child);
    sizes.set(child, size);
    const more = Math.max(1, route.match?.length ?? 0) * size;
    if (made + more > MAX_DELEGATED_MATCHES) return 'too-many';
    made += more;
    return child;
  });
}

function matchesIn({ spec }: VirtualService): number {
  return (spec?.http ?? []).reduce((sum, { match = [] }) => sum + Math.max(1, match.length), 0);
}

/**
 * With the routes of delegates in place of those that delegate, and all destinations by their whole names. One level:
 * delegates of delegates are nothing, nor are those that are missing or too many.
 */
export function resolvedRoutes(
  parent: VirtualService,
  find: FindVirtualService,
  mesh: Names,
): HttpRoute[] {
  const found = delegations(parent, find);
  return routesOf(parent, mesh).flatMap((route, index) => {
    const child = found[index]!;
    if (child === 'none') return [route];
    if (typeof child === 'string') return [];
    return routesOf(child, mesh)
      .filter(({ delegate }) => delegate === undefined)
      .flatMap((own) => mergedRoute(route, own) ?? []);
  });
}

function routesOf(service: VirtualService, mesh: Names): HttpRoute[] {
  const whole = <T extends { readonly host: string }>(destination: T): T => ({
    ...destination,
    host: fullHostname(destination.host, namespaceOf(service), mesh),
  });
  const each = <T extends { readonly destination: { readonly host: string } }>(all: readonly T[]) =>
    all.map((entry) => ({ ...entry, destination: whole(entry.destination) }));
  return (service.spec?.http ?? []).map((route) => ({
    ...route,
    ...(route.route && { route: each(route.route) }),
    ...(route.mirror && { mirror: whole(route.mirror) }),
    ...(route.mirrors && { mirrors: each(route.mirrors) }),
  }));
}

/** What the child leaves open is as the parent says; null if their matches exclude each other. */
function mergedRoute(parent: HttpRoute, child: HttpRoute): HttpRoute | null {
  const match = mergedMatches(parent.match ?? [], child.match ?? []);
  if (match === null) return null;
  const { delegate: _, match: __, ...defaults } = parent;
  return { ...defaults, ...child, match, name: joined(parent.name, child.name) };
}

function joined(parent = '', child = ''): string {
  return [parent, child].filter((name) => name !== '').join('-');
}

function mergedMatches(
  parents: readonly HttpMatch[],
  children: readonly HttpMatch[],
): HttpMatch[] | null {
  if (parents.length === 0) return [...children];
  if (children.length === 0) return [...parents];
  const found: HttpMatch[] = [];
  for (const child of children) {
    const within = parents.filter((parent) => !excludes(parent, child));
    // Of a child that is no part of its parent's match, nothing is taken.
    if (within.length === 0) return null;
    found.push(...within.map((parent) => mergedMatch(parent, child)));
  }
  return found;
}

function mergedMatch(parent: HttpMatch, child: HttpMatch): HttpMatch {
  return {
    ...parent,
    ...child,
    name: joined(parent.name, child.name),
    headers: { ...parent.headers, ...child.headers },
    withoutHeaders: { ...parent.withoutHeaders, ...child.withoutHeaders },
    queryParams: { ...parent.queryParams, ...child.queryParams },
  };
}

function excludes(parent: HttpMatch, child: HttpMatch): boolean {
  const fields = ['uri', 'scheme', 'method', 'authority'] as const;
  const maps = ['headers', 'withoutHeaders', 'queryParams'] as const;
  return (
    fields.some((field) => isOutside(parent[field], child[field])) ||
    maps.some((field) =>
      Object.entries(child[field] ?? {}).some(([key, value]) =>
        isOutside(parent[field]?.[key], value),
      ),
    ) ||
    (parent.ignoreUriCase === true) !== (child.ignoreUriCase === true) ||
    (Boolean(parent.port) && Boolean(child.port) && parent.port !== child.port)
  );
}

/** Whether the child may take what the parent does not; of regular expressions nobody can tell. */
function isOutside(parent: StringMatch | undefined, child: StringMatch | undefined): boolean {
  if (parent === undefined || child === undefined) return false;
  if (parent.regex !== undefined || child.regex !== undefined) return true;
  if (parent.exact !== undefined) return parent.exact !== child.exact;
  if (parent.prefix === undefined) return true;
  return !(child.exact ?? child.prefix ?? '').startsWith(parent.prefix);
}
