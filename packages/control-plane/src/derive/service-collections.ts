/** The services of the mesh as collections: what they are, and what node proxies are told of them. */
import type { Service as WorkloadService } from '@aquifer/model';
import type { Context } from '../collections/cell.ts';
import type { Collection, Index } from '../collections/collection.ts';
import type { Graph } from '../collections/graph.ts';
import { type ClusterInputs, objectKey } from '../ingest/cluster-inputs.ts';
import type { Installation } from './mesh.ts';
import { type MeshService, meshServiceKey, meshServiceOf } from './mesh-service.ts';
import { type SettingsCollections, settingsIn } from './mesh-settings.ts';
import { byAge, labelsOf, nameOf, namespaceOf, refTo } from './object.ts';
import { type Resource, serviceResource } from './resource.ts';
import { servicesOfEntry, visibilityIn } from './service-entry.ts';
import { deriveService } from './services.ts';
import type { BoundCondition, Waypoint } from './waypoints.ts';

/** A service as it is served, bound to its waypoint if it has one. */
interface ServedService {
  readonly service: MeshService;
  readonly resource: Resource<WorkloadService>;
  readonly condition: BoundCondition | null;
  /** Keys of the waypoints that must know it. */
  readonly waypoints: readonly string[];
}

export interface ServiceCollections {
  /** By `meshServiceKey`. */
  readonly meshServices: Collection<MeshService>;
  /** Those of one hostname, in all namespaces. */
  readonly meshServicesByHostname: Index<MeshService>;
  /** By `meshServiceKey`, without aliases. */
  readonly services: Collection<ServedService>;
  /** Those that are made of one object, as `sourceKey` names it. */
  readonly servicesBySource: Index<ServedService>;
}

interface ServiceInputs {
  readonly graph: Graph;
  readonly cluster: ClusterInputs;
  readonly installation: Installation;
  readonly mesh: SettingsCollections;
  readonly waypoints: Collection<Waypoint>;
}

/** `<kind>/<namespace>/<name>`: the object that a service is made of. */
export function sourceKey(kind: string, namespace: string, name: string): string {
  return `${kind}/${namespace}/${name}`;
}

export function serviceCollections(inputs: ServiceInputs): ServiceCollections {
  const { graph, cluster, installation } = inputs;
  const ofServices = graph.flatMap('mesh services of Services', cluster.of('Service'), (object) => {
    const service = meshServiceOf(object, installation);
    return [[keyOf(service, installation), service]];
  });
  const meshServices = graph.union('mesh services', ofServices, ofEntries(inputs, ofServices));
  const byHostname = graph.index('mesh services by hostname', meshServices, ({ hostname }) => [
    hostname,
  ]);
  const services = graph.map('services', meshServices, (service, context) => {
    const isCanonical =
      service.kind === 'Service' ||
      canonicalOf(context.lookup(byHostname, service.hostname)) === service;
    return servedService(service, isCanonical, context, inputs);
  });
  const servicesBySource = graph.index('services by source', services, ({ service }) => [
    sourceKey(service.kind, namespaceOf(service), nameOf(service)),
  ]);
  return { meshServices, meshServicesByHostname: byHostname, services, servicesBySource };
}

function keyOf(service: MeshService, installation: Installation): string {
  return meshServiceKey(installation, namespaceOf(service), service.hostname);
}

/**
 * Of those that want one hostname in one namespace a Service wins, and otherwise the oldest entry: there is no other then,
 * until the winner is gone.
 */
function ofEntries(
  { graph, cluster, installation, mesh }: ServiceInputs,
  ofServices: Collection<MeshService>,
): Collection<MeshService> {
  const candidates = graph.flatMap(
    'mesh services that ServiceEntries want',
    cluster.of('ServiceEntry'),
    (entry, context, key) => {
      const namespace = context.get(cluster.of('Namespace'), objectKey('', namespaceOf(entry)));
      const rules = context.get(mesh.meshConfig, '')?.serviceEntryVisibility ?? null;
      const visibility = visibilityIn(labelsOf(namespace), rules);
      return servicesOfEntry(entry, installation, visibility).map(
        (service) => [`${key}/${service.hostname}`, service] as const,
      );
    },
  );
  const byHostname = graph.index('candidates by hostname', candidates, (service) => [
    keyOf(service, installation),
  ]);
  return graph.flatMap('mesh services of ServiceEntries', candidates, (service, context) => {
    const key = keyOf(service, installation);
    if (context.get(ofServices, key) !== undefined) return [];
    const [winner] = context.lookup(byHostname, key).toSorted(byAge);
    return winner === service ? [[key, service]] : [];
  });
}

/** Which of the services of one hostname it means where no namespace is said: a Service, else the oldest public entry. */
function canonicalOf(services: readonly MeshService[]): MeshService | undefined {
  return (
    services.find(({ kind }) => kind === 'Service') ??
    services.filter(({ visibility }) => visibility === 'public').toSorted(byAge)[0]
  );
}

function servedService(
  service: MeshService,
  isCanonical: boolean,
  context: Context,
  { cluster, mesh, waypoints }: ServiceInputs,
): ServedService | null {
  const derived = deriveService(service, {
    network: settingsIn(mesh, context).network,
    namespace: context.get(cluster.of('Namespace'), objectKey('', namespaceOf(service))),
    waypoints: { get: (key) => context.get(waypoints, key) },
    isCanonical,
  });
  if (derived === null) return null;
  const [bound] = derived.waypoints;
  const sources = [refTo(service), ...(bound === undefined ? [] : [bound.source])];
  return {
    service,
    resource: serviceResource(derived.service, sources),
    condition: derived.condition,
    waypoints: derived.waypoints.map(({ namespace, name }) => objectKey(namespace, name)),
  };
}
