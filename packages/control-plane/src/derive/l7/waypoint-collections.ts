/** What waypoints are served, as collections: Envoy's clusters, endpoints and listeners, by waypoint. */

import { isDeepStrictEqual } from 'node:util';
import { hasLabels } from '@aquifer/model/kubernetes';
import type { Context } from '../../collections/cell.ts';
import type { Collection } from '../../collections/collection.ts';
import type { Graph } from '../../collections/graph.ts';
import { type ClusterInputs, objectKey } from '../../ingest/cluster-inputs.ts';
import { isEmptyMap } from '../label-maps.ts';
import { WAYPOINT_CONTROLLER } from '../labels.ts';
import type { MeshCollections } from '../mesh-collections.ts';
import type { MeshService } from '../mesh-service.ts';
import { settingsIn } from '../mesh-settings.ts';
import { nameOf, namespaceOf, refTo } from '../object.ts';
import { isSameResource, type WorkloadResource } from '../resource.ts';
import { addressKey } from '../waypoints.ts';
import { assignmentResource, type ServiceAssignment } from './endpoints.ts';
import { isSameOwned, type OwnedResource, ownedBy } from './owned-resource.ts';
import { serviceScope, waypointRules, waypointTargets } from './scope.ts';
import { type LookupsOf, type ScopeSources, scopeLookups } from './scope-lookups.ts';
import {
  boundResource,
  listenerBase,
  mainListenerResource,
  outboundParts,
  ownClusters,
  ownListeners,
  type ResolvedCluster,
  resolvedCluster,
  type ServiceParts,
  serviceParts,
} from './waypoint-parts.ts';
import type { WaypointRef } from './waypoint-ref.ts';

export interface WaypointCollections {
  readonly clusters: Collection<OwnedResource>;
  readonly endpoints: Collection<OwnedResource>;
  readonly listeners: Collection<OwnedResource>;
}

interface Base {
  readonly graph: Graph;
  readonly cluster: ClusterInputs;
  readonly mesh: MeshCollections;
  /** Gateways whose class is a waypoint's. */
  readonly waypoints: Collection<WaypointRef>;
}

export function waypointCollections(sources: ScopeSources): WaypointCollections {
  const { graph, cluster, mesh } = sources;
  const base: Base = { graph, cluster, mesh, waypoints: waypointRefs(graph, cluster) };
  const lookupsOf = scopeLookups(sources);
  const attached = attachments(base);
  const parts = graph.map(
    'parts of attached services',
    attached,
    ({ waypoint, service }, context) => {
      const lookups = lookupsOf(context, waypoint);
      const scope = serviceScope(service, waypoint, lookups, settingsIn(mesh, context));
      return { ...serviceParts(scope), waypoint: keyOfWaypoint(waypoint) };
    },
    isSameParts,
  );
  const boundTo = boundWorkloads(base);
  const all = graph.union('parts of services', parts, providerParts(base, lookupsOf));
  return {
    clusters: clusterResources(base, all, workloadsOf(base)),
    endpoints: endpointResources(base, { parts: all, boundTo, chosen: workloadsOf(base) }),
    listeners: listenerResources(base, { attached, parts, boundTo, lookupsOf }),
  };
}

/** A service that a waypoint must know: it is bound to it, or has it as canary. */
interface Attachment {
  readonly waypoint: WaypointRef;
  readonly service: MeshService;
}

type OwnedParts = ServiceParts & { readonly waypoint: string };
type BoundTo = (waypoint: string, context: Context) => readonly WorkloadResource[];
/** The workloads behind an assignment. */
type Chosen = (assignment: ServiceAssignment, context: Context) => readonly WorkloadResource[];

const NOTHING: readonly never[] = [];

function keyOfWaypoint({ namespace, name }: WaypointRef): string {
  return objectKey(namespace, name);
}

function isSameParts(before: OwnedParts, now: OwnedParts): boolean {
  const sameList = <T>(
    a: readonly T[],
    b: readonly T[],
    same: (one: T, other: T) => boolean,
  ): boolean => a.length === b.length && a.every((one, index) => same(one, b[index]!));
  return (
    sameList(before.chains, now.chains, (one, other) => Buffer.compare(one, other) === 0) &&
    sameList(before.clusters, now.clusters, isSameResource) &&
    sameList(before.chainSources, now.chainSources, isDeepStrictEqual) &&
    sameList(before.resolved, now.resolved, isSameResolved) &&
    sameList(before.assignments, now.assignments, isSameAssignment)
  );
}

function isSameAssignment(before: ServiceAssignment, now: ServiceAssignment): boolean {
  return before.service === now.service && isDeepStrictEqual(before, now);
}

function isSameResolved(before: ResolvedCluster, now: ResolvedCluster): boolean {
  return (
    isSameResource(before.cluster, now.cluster) &&
    isSameAssignment(before.assignment, now.assignment)
  );
}

/** What configuration says of a Gateway: nothing that its status says. */
function waypointRefs(graph: Graph, cluster: ClusterInputs): Collection<WaypointRef> {
  return graph.map('waypoint references', cluster.of('Gateway'), (gateway, context) => {
    const className = gateway.spec.gatewayClassName;
    const gatewayClass = context.get(cluster.of('GatewayClass'), objectKey('', className));
    if (gatewayClass?.spec.controllerName !== WAYPOINT_CONTROLLER) return null;
    const [namespace, name] = [namespaceOf(gateway), nameOf(gateway)];
    return { namespace, name, className, source: refTo(gateway) };
  });
}

/** By waypoint and hostname, so that those of a waypoint come sorted by hostname. */
function attachments({ graph, mesh, waypoints }: Base): Collection<Attachment> {
  return graph.flatMap(
    'attached services',
    mesh.services,
    ({ service, waypoints: keys }, context) =>
      keys.flatMap((key) => {
        const waypoint = context.get(waypoints, key);
        if (waypoint === undefined) return [];
        return [[`${key} ${service.hostname}`, { waypoint, service }]];
      }),
  );
}

/** The services that the configuration of the mesh names for policies and telemetry, whoever uses them (recording l7/25). */
function providerParts(
  { graph, mesh, waypoints }: Base,
  lookupsOf: LookupsOf,
): Collection<OwnedParts> {
  return graph.flatMap(
    'parts of providers',
    waypoints,
    (waypoint, context, key) => {
      const lookups = lookupsOf(context, waypoint);
      const { extensionProviders } = settingsIn(mesh, context);
      return extensionProviders.flatMap(({ service: named }): [string, OwnedParts][] => {
        const service = named && lookups.serviceAt({ ...named, host: named.hostname, subset: '' });
        if (!service) return [];
        const made = outboundParts({ service, traffic: lookups.trafficOf(service) }, waypoint);
        return [[`${key} provider ${service.hostname}`, { ...made, waypoint: key }]];
      });
    },
    isSameParts,
  );
}

function boundWorkloads({ graph, mesh }: Base): BoundTo {
  const byWaypoint = graph.index('workloads by waypoint', mesh.workloads, ({ value }) =>
    value.waypoint === null ? [] : [addressKey(value.waypoint)],
  );
  return (key, context) => {
    const address = context.get(mesh.waypoints, key)?.address ?? null;
    return address === null ? NOTHING : context.lookup(byWaypoint, addressKey(address));
  };
}

/** Of a subset those with its labels. */
function workloadsOf({ mesh }: Pick<Base, 'mesh'>): Chosen {
  return ({ serviceKey, labels }, context) => {
    const workloads = context.lookup(mesh.workloadsByService, serviceKey);
    if (isEmptyMap(labels)) return workloads;
    return workloads.filter(({ traits }) => hasLabels(labels, traits.labels));
  };
}

function clusterResources(
  { graph, mesh, waypoints }: Base,
  parts: Collection<OwnedParts>,
  chosen: Chosen,
): WaypointCollections['clusters'] {
  const resolved = graph.flatMap(
    'clusters without their endpoints',
    parts,
    ({ waypoint, resolved: made }) =>
      made.map((one) => [`${waypoint} ${one.cluster.name}`, { ...one, waypoint }] as const),
    (before, now) => before.waypoint === now.waypoint && isSameResolved(before, now),
  );
  return graph.union(
    'waypoint clusters',
    graph.flatMap(
      'own clusters of waypoints',
      waypoints,
      (waypoint, context, key) =>
        ownClusters(waypoint, settingsIn(mesh, context)).map((resource) => ownedBy(key, resource)),
      isSameOwned,
    ),
    graph.flatMap(
      'clusters of attached services',
      parts,
      ({ waypoint, clusters }) => clusters.map((resource) => ownedBy(waypoint, resource)),
      isSameOwned,
    ),
    graph.map(
      'clusters of names for DNS',
      resolved,
      ({ waypoint, ...made }, context): OwnedResource => {
        const endpoints = assignmentResource(made.assignment, chosen(made.assignment, context));
        return { owner: waypoint, resource: resolvedCluster(made, endpoints) };
      },
      isSameOwned,
    ),
  );
}

interface ListenerInputs {
  readonly attached: Collection<Attachment>;
  readonly parts: Collection<OwnedParts>;
  readonly boundTo: BoundTo;
  readonly lookupsOf: LookupsOf;
}

function listenerResources(
  { graph, mesh, waypoints }: Base,
  { attached, parts, boundTo, lookupsOf }: ListenerInputs,
): WaypointCollections['listeners'] {
  const attachedTo = graph.index('services by waypoint', attached, ({ waypoint }) => [
    keyOfWaypoint(waypoint),
  ]);
  const partsOf = graph.index('parts by waypoint', parts, ({ waypoint }) => [waypoint]);
  const bases = graph.map('bases of main listeners', waypoints, (waypoint, context, key) =>
    listenerBase(waypoint, {
      attached: context.lookup(attachedTo, key).map(({ service }) => service),
      ...waypointRules(waypoint, lookupsOf(context, waypoint), settingsIn(mesh, context)),
      workloadAddresses: boundTo(key, context)
        .flatMap(({ value }) => value.addresses)
        .toSorted(),
    }),
  );
  const main = graph.flatMap(
    'main listeners',
    bases,
    (base, context, key): readonly (readonly [string, OwnedResource])[] => [
      ownedBy(key, mainListenerResource(base, context.lookup(partsOf, key))),
    ],
    isSameOwned,
  );
  const own = graph.flatMap(
    'own listeners of waypoints',
    waypoints,
    (waypoint, context, key): readonly (readonly [string, OwnedResource])[] =>
      ownListeners(
        waypoint,
        settingsIn(mesh, context),
        lookupsOf(context, waypoint).telemetryOf(
          waypointTargets(waypoint, settingsIn(mesh, context)),
        ),
      ).map((resource) => ownedBy(key, resource)),
    isSameOwned,
  );
  return graph.union('waypoint listeners', own, main);
}

interface OwnedAssignment {
  readonly waypoint: string;
  readonly assignment: ServiceAssignment;
}

/** Of each cluster, and of the workloads that are bound to the waypoint themselves. */
function endpointResources(
  { graph, waypoints }: Base,
  {
    parts,
    boundTo,
    chosen,
  }: Pick<ListenerInputs, 'parts' | 'boundTo'> & { readonly chosen: Chosen },
): WaypointCollections['endpoints'] {
  const assignments = graph.flatMap('assignments of waypoints', parts, (made) =>
    made.assignments.map((assignment): readonly [string, OwnedAssignment] => [
      `${made.waypoint} ${assignment.clusterName}`,
      { waypoint: made.waypoint, assignment },
    ]),
  );
  const ofServices = graph.map(
    'endpoints of clusters',
    assignments,
    ({ waypoint, assignment }, context): OwnedResource => {
      const workloads = chosen(assignment, context);
      return { owner: waypoint, resource: assignmentResource(assignment, workloads) };
    },
    isSameOwned,
  );
  const ofWorkloads = graph.flatMap(
    'endpoints of workloads',
    waypoints,
    (_waypoint, context, key) => {
      const bound = boundTo(key, context);
      return bound.length === 0 ? [] : [ownedBy(key, boundResource(bound))];
    },
    isSameOwned,
  );
  return graph.union('waypoint endpoints', ofServices, ofWorkloads);
}
