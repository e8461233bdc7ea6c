/** The parts of Envoy's `/config_dump` and `/clusters` that `proxy-config` shows, as our waypoint and Envoy itself write them. */
export interface EnvoyDump {
  readonly configs: readonly DumpPart[];
}

interface DumpPart {
  readonly '@type': string;
  readonly [field: string]: unknown;
}

/** A resource of a dump, whatever its kind. */
export type DumpedResource = Readonly<Record<string, unknown>>;

/** Where each kind stands: fields of a part, and below which field of an entry the resource is. */
const PLACES = {
  listener: [
    { list: 'static_listeners', path: ['listener'] },
    { list: 'dynamic_listeners', path: ['active_state', 'listener'] },
  ],
  cluster: [
    { list: 'static_clusters', path: ['cluster'] },
    { list: 'dynamic_active_clusters', path: ['cluster'] },
  ],
  route: [
    { list: 'static_route_configs', path: ['route_config'] },
    { list: 'dynamic_route_configs', path: ['route_config'] },
  ],
  endpoint: [
    { list: 'static_endpoint_configs', path: ['endpoint_config'] },
    { list: 'dynamic_endpoint_configs', path: ['endpoint_config'] },
  ],
  secret: [
    { list: 'static_secrets', path: [] },
    { list: 'dynamic_active_secrets', path: [] },
  ],
} as const;

export type DumpKind = keyof typeof PLACES;

/** Every resource of a kind, sorted by name. */
export function resourcesOf({ configs }: EnvoyDump, kind: DumpKind): DumpedResource[] {
  const found = configs.flatMap((part) =>
    PLACES[kind].flatMap(({ list, path }) =>
      ((part[list] ?? []) as DumpedResource[]).map((entry) =>
        path.reduce<DumpedResource>((at, step) => (at[step] ?? {}) as DumpedResource, entry),
      ),
    ),
  );
  return found.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
}

export function nameOf(resource: DumpedResource): string {
  return String(resource.name ?? resource.cluster_name ?? '');
}

/** A field at a path; undefined where something on the way is missing. */
export function fieldAt(resource: unknown, ...path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>(
    (at, step) => (at as Record<string | number, unknown> | undefined)?.[step],
    resource,
  );
}

/** A list at a path; empty where it is missing. */
export function listAt(resource: unknown, ...path: readonly (string | number)[]): unknown[] {
  return (fieldAt(resource, ...path) as unknown[] | undefined) ?? [];
}
