/** What is served, as clients discover it: group lists, resource lists, and both in one (apidiscovery.k8s.io/v2). */
import type { JsonObject } from '../json.ts';
import { apiVersionOf, type ResourceRegistry, type ServedResource } from '../resource-registry.ts';

const standardVerbs = [
  'create',
  'delete',
  'deletecollection',
  'get',
  'list',
  'patch',
  'update',
  'watch',
];

interface SubresourceRow {
  readonly name: string;
  readonly kind: string;
  readonly group?: string;
  readonly version?: string;
  readonly verbs: readonly string[];
}

const readWrite = ['get', 'patch', 'update'];

/** Subresources beside `status` and `scale`. */
const special: Readonly<Record<string, readonly SubresourceRow[]>> = {
  '/pods': [
    { name: 'attach', kind: 'PodAttachOptions', verbs: ['create', 'get'] },
    { name: 'binding', kind: 'Binding', verbs: ['create'] },
    { name: 'ephemeralcontainers', kind: 'Pod', verbs: readWrite },
    { name: 'eviction', kind: 'Eviction', group: 'policy', version: 'v1', verbs: ['create'] },
    { name: 'exec', kind: 'PodExecOptions', verbs: ['create', 'get'] },
    { name: 'log', kind: 'Pod', verbs: ['get'] },
    { name: 'portforward', kind: 'PodPortForwardOptions', verbs: ['create', 'get'] },
  ],
  '/namespaces': [{ name: 'finalize', kind: 'Namespace', verbs: ['update'] }],
  '/serviceaccounts': [
    {
      name: 'token',
      kind: 'TokenRequest',
      group: 'authentication.k8s.io',
      version: 'v1',
      verbs: ['create'],
    },
  ],
};

function subresourcesOf(resource: ServedResource): SubresourceRow[] {
  const scale: SubresourceRow[] =
    resource.scale === null
      ? []
      : [{ name: 'scale', kind: 'Scale', group: 'autoscaling', version: 'v1', verbs: readWrite }];
  const status: SubresourceRow[] = resource.status
    ? [{ name: 'status', kind: resource.kind, verbs: readWrite }]
    : [];
  return [...scale, ...(special[resource.collection] ?? []), ...status].toSorted((a, b) =>
    a.name < b.name ? -1 : 1,
  );
}

function verbsOf(resource: ServedResource): readonly string[] {
  if (resource.review) return ['create'];
  if (resource.collection !== '/namespaces') return standardVerbs;
  return standardVerbs.filter((verb) => verb !== 'deletecollection');
}

function optional(name: string, values: readonly string[]): JsonObject {
  return values.length === 0 ? {} : { [name]: values };
}

/** An item of `/api/v1` or `/apis/GROUP/VERSION`. */
function listedResources(resource: ServedResource): JsonObject[] {
  const { plural, namespaced } = resource;
  const own = {
    name: plural,
    singularName: resource.singular,
    namespaced,
    kind: resource.kind,
    verbs: verbsOf(resource),
    ...optional('shortNames', resource.shortNames),
    ...optional('categories', resource.categories),
  };
  const parts = subresourcesOf(resource).map(({ name, ...row }) => ({
    name: `${plural}/${name}`,
    singularName: '',
    namespaced,
    ...row,
  }));
  return [own, ...parts];
}

function discovered(resource: ServedResource): JsonObject {
  const { group, version, kind } = resource;
  const subresources = subresourcesOf(resource).map((row) => ({
    subresource: row.name,
    responseKind: { group: row.group ?? group, version: row.version ?? version, kind: row.kind },
    verbs: row.verbs,
  }));
  return {
    resource: resource.plural,
    responseKind: { group, version, kind },
    scope: resource.namespaced ? 'Namespaced' : 'Cluster',
    singularResource: resource.singular,
    verbs: verbsOf(resource),
    ...optional('shortNames', resource.shortNames),
    ...optional('categories', resource.categories),
    ...(subresources.length === 0 ? {} : { subresources }),
  };
}

function versionRank(version: string): number {
  const parts = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(version);
  if (parts === null) return 0;
  const stage = parts[2] === undefined ? 2 : parts[2] === 'beta' ? 1 : 0;
  return stage * 1_000_000 + Number(parts[1]) * 1000 + Number(parts[3] ?? 0);
}

/** Groups in order of name; the versions of each from the most to the least stable (KEP "version priority"). */
function groups(registry: ResourceRegistry): Map<string, Map<string, ServedResource[]>> {
  const result = new Map<string, Map<string, ServedResource[]>>();
  const byGroup = Map.groupBy(registry.all(), (resource) => resource.group);
  for (const [group, resources] of [...byGroup].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const byVersion = Map.groupBy(resources, (resource) => resource.version);
    const ordered = [...byVersion].toSorted(([a], [b]) => versionRank(b) - versionRank(a));
    for (const [, list] of ordered) list.sort((a, b) => (a.plural < b.plural ? -1 : 1));
    result.set(group, new Map(ordered));
  }
  return result;
}

/** Whether an Accept header asks for everything in one document (aggregated discovery v2). */
export function wantsAggregated(accept: string | undefined): boolean {
  return (accept ?? '').split(',').some((type) => {
    const parts = type.split(';').map((part) => part.trim());
    return parts.includes('as=APIGroupDiscoveryList') && parts.includes('v=v2');
  });
}

/** `/api` or `/apis` with everything in it. */
export function aggregatedDiscovery(registry: ResourceRegistry, core: boolean): JsonObject {
  const items = [...groups(registry)]
    .filter(([group]) => (group === '') === core)
    .map(([group, versions]) => ({
      metadata: core ? {} : { name: group },
      versions: [...versions].map(([name, resources]) => ({
        version: name,
        resources: resources.map(discovered),
        freshness: 'Current',
      })),
    }));
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: 'apidiscovery.k8s.io/v2',
    metadata: {},
    items,
  };
}

function groupObject(group: string, versions: readonly string[]): JsonObject {
  const listed = versions.map((version) => ({ groupVersion: `${group}/${version}`, version }));
  return { name: group, versions: listed, preferredVersion: listed[0] };
}

/** The plain documents of `/api`, `/apis`, `/apis/GROUP` and the resource lists; null for an unknown path. */
export function discoveryDocument(registry: ResourceRegistry, path: string): JsonObject | null {
  const [root, group, version, ...rest] = path.split('/').filter((part) => part !== '');
  const all = groups(registry);
  if (root === 'api' && group === undefined) {
    return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] };
  }
  if (root === 'api' && group !== undefined && version === undefined) {
    return resourceList(all, '', group);
  }
  if (root !== 'apis' || rest.length > 0) return null;
  if (group === undefined) {
    const named = [...all].filter(([name]) => name !== '');
    return {
      kind: 'APIGroupList',
      apiVersion: 'v1',
      groups: named.map(([name, versions]) => groupObject(name, [...versions.keys()])),
    };
  }
  const versions = all.get(group);
  if (versions === undefined) return null;
  if (version !== undefined) return resourceList(all, group, version);
  return { kind: 'APIGroup', apiVersion: 'v1', ...groupObject(group, [...versions.keys()]) };
}

function resourceList(
  all: Map<string, Map<string, ServedResource[]>>,
  group: string,
  version: string,
): JsonObject | null {
  const resources = all.get(group)?.get(version);
  if (resources === undefined) return null;
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: apiVersionOf(group, version),
    resources: resources.flatMap(listedResources),
  };
}
