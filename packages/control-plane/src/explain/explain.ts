/** The tree of one object: what node proxies and waypoints are served because of it. */
import type { Service, Workload } from '@aquifer/model';
import type { ExplainedLine, Explanation } from '@aquifer/wire';
import { meshServiceKey } from '../derive/mesh-service.ts';
import { namespaceOf } from '../derive/object.ts';
import type { Resource } from '../derive/resource.ts';
import { sourceKey } from '../derive/service-collections.ts';
import { objectKey } from '../ingest/cluster-inputs.ts';
import { type ObjectRef, WATCHED_KINDS, type WatchedKind } from '../ingest/kinds.ts';
import { conditionLines, type Explained, line, reasonsFor } from './explanation.ts';
import { clusterLines, listenerLines, WHOLE_CHAIN } from './waypoint-lines.ts';

/** Null if there is no such object. */
export function explain(object: ObjectRef, explained: Explained): Explanation | null {
  const lines = LINES[object.kind];
  if (lines === undefined || !(object.kind in WATCHED_KINDS)) return null;
  const kind = object.kind as WatchedKind;
  const stored = explained.cluster.anyOf(kind).get(objectKey(object.namespace, object.name));
  if (stored === undefined) return null;
  return { object, lines: [...lines(object, explained), ...conditionLines(stored)] };
}

type LinesOf = (object: ObjectRef, explained: Explained) => ExplainedLine[];

const LINES: Readonly<Record<string, LinesOf>> = {
  Pod: podLines,
  Service: serviceLines,
  ServiceEntry: serviceLines,
  HTTPRoute: routeLines,
  GRPCRoute: routeLines,
  VirtualService: routeLines,
  AuthorizationPolicy: policyLines,
};

/** Kinds that can be explained. */
export const EXPLAINED_KINDS: readonly string[] = Object.keys(LINES);

function serviceLines({ kind, namespace, name }: ObjectRef, explained: Explained): ExplainedLine[] {
  const { mesh } = explained;
  const found = mesh.servicesBySource.lookup(sourceKey(kind, namespace, name));
  return found.flatMap(({ service, resource, waypoints }) => {
    const key = meshServiceKey(service, namespaceOf(service), service.hostname);
    const ofService = (candidate: string): boolean => candidate.includes(`|${service.hostname}`);
    return [
      line({
        what: 'address',
        name: resource.name,
        detail: addressesOf(resource.value),
        because: reasonsFor(mesh.services, key),
        lines: endpointLines(resource.name, mesh),
      }),
      ...waypoints.map((waypoint) =>
        line({
          what: 'waypoint',
          name: waypoint,
          lines: [
            ...listenerLines(explained, waypoint, { ...WHOLE_CHAIN, isChain: ofService }),
            ...clusterLines(explained, waypoint, ofService),
          ],
        }),
      ),
    ];
  });
}

/** Above so many it is not said of each why: every reason takes a millisecond of the one thread. */
const MAX_REASONED = 50;

function endpointLines(service: string, mesh: Explained['mesh']): ExplainedLine[] {
  return mesh.workloadsByService.lookup(service).map((workload, index) =>
    line({
      what: 'endpoint',
      name: workload.value.uid,
      detail: endpointOf(workload.value, service),
      because: index < MAX_REASONED ? reasonsFor(mesh.workloads, workload.name) : [],
    }),
  );
}

function addressesOf({ addresses }: Service): string {
  return addresses.map(({ address }) => address).join(', ');
}

function endpointOf(workload: Workload, service: string): string {
  const ports = (workload.services.get(service) ?? []).map(({ targetPort }) => targetPort);
  const places = workload.addresses.flatMap((ip) => ports.map((port) => `${ip}:${port}`));
  return `${places.join(', ')} ${workload.status}, ${workload.protocol}`;
}

function podLines({ namespace, name }: ObjectRef, { cluster, mesh }: Explained): ExplainedLine[] {
  const settings = mesh.settings.get('');
  const uid = `${settings?.clusterId}//Pod/${namespace}/${name}`;
  const workload = mesh.workloads.get(uid);
  const podUid = cluster.get('Pod', namespace, name)?.metadata.uid ?? '';
  const captured = mesh.enrolledPods.get(podUid);
  return [
    ...(workload === undefined ? [] : [workloadLine(workload, mesh)]),
    ...(captured === undefined
      ? []
      : [
          line({
            what: 'capture',
            name: `on node ${captured.node}`,
            because: reasonsFor(mesh.enrolledPods, podUid),
          }),
        ]),
  ];
}

function workloadLine({ name, value }: Resource<Workload>, mesh: Explained['mesh']): ExplainedLine {
  return line({
    what: 'address',
    name,
    detail: `${value.addresses.join(', ')} ${value.status}, ${value.protocol}`,
    because: reasonsFor(mesh.workloads, name),
    lines: [
      ...value.authorizationPolicies.map((policy) =>
        line({ what: 'policy', name: policy, because: reasonsFor(mesh.authorizations, policy) }),
      ),
      ...[...value.services].map(([service, ports]) =>
        line({
          what: 'endpoint',
          name: service,
          detail: ports
            .map(({ servicePort, targetPort }) => `${servicePort} → ${targetPort}`)
            .join(', '),
        }),
      ),
    ],
  });
}

/** Wherever a waypoint's listener was made from it. */
function routeLines(object: ObjectRef, explained: Explained): ExplainedLine[] {
  const named = new RegExp(`[/~."]${RegExp.escape(object.name)}([/~.\\-"]|$)`);
  return attachedWaypoints(object, explained, {
    isRoute: (route) => named.test(JSON.stringify([route.name, route.metadata])),
    isPolicy: () => false,
  });
}

function policyLines(object: ObjectRef, explained: Explained): ExplainedLine[] {
  const { mesh } = explained;
  const name = `${object.namespace}/${object.name}`;
  const authorization = mesh.authorizations.get(name);
  const listed = Array.from(mesh.workloads.entries(), ([, resource]) => resource).filter(
    ({ value }) => value.authorizationPolicies.includes(name),
  );
  const isPolicy = (candidate: string): boolean =>
    candidate.includes(`ns[${object.namespace}]-policy[${object.name}]`);
  return [
    ...(authorization === undefined
      ? []
      : [
          line({
            what: 'policy',
            name,
            detail: `${authorization.value.action}, ${authorization.value.scope}`,
            because: reasonsFor(mesh.authorizations, name),
            lines: listed.map(({ value }) => line({ what: 'address', name: value.uid })),
          }),
        ]),
    ...attachedWaypoints(object, explained, { isRoute: () => false, isPolicy }),
  ];
}

function attachedWaypoints(
  { kind, namespace, name }: ObjectRef,
  explained: Explained,
  filter: Omit<Parameters<typeof listenerLines>[2], 'isChain'>,
): ExplainedLine[] {
  const owners = new Set<string>();
  for (const [, { owner, resource }] of explained.waypoints.listeners.entries()) {
    const isSource = resource.sources.some(
      (source) => source.kind === kind && source.namespace === namespace && source.name === name,
    );
    if (isSource) owners.add(owner);
  }
  return [...owners].toSorted().flatMap((waypoint) => {
    const lines = listenerLines(explained, waypoint, { ...filter, isChain: () => true });
    return lines.length === 0 ? [] : [line({ what: 'waypoint', name: waypoint, lines })];
  });
}
