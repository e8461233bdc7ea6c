/** The services of the mesh as collections: what they are, and what node proxies are told of them. */
import type { Service as WorkloadService } from '@aquifer/model';
import type { Context } from '../collections/cell.ts';
import type { Collection, Index } from '../collections/collection.ts';
import type { Graph } from '../collections/graph.ts';
import { type ClusterInputs, objectKey } from '../ingest/cluster-inputs.ts';
import type { MeshSettings } from './mesh.ts';
import { type MeshService, meshServiceKey, meshServiceOf } from './mesh-service.ts';
import { nameOf, namespaceOf, refTo } from './object.ts';
import { type Resource, serviceResource } from './resource.ts';
import { type BoundCondition, deriveService } from './services.ts';
import type { Waypoint } from './waypoints.ts';

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
  /** By `meshServiceKey`, without aliases. */
  readonly services: Collection<ServedService>;
  /** Those that are made of one object, as `sourceKey` names it. */
  readonly servicesBySource: Index<ServedService>;
}

interface ServiceInputs {
  readonly graph: Graph;
  readonly cluster: ClusterInputs;
  readonly settings: MeshSettings;
  readonly network: Collection<string>;
  readonly waypoints: Collection<Waypoint>;
}

/** `<kind>/<namespace>/<name>`: the object that a service is made of. */
export function sourceKey(kind: string, namespace: string, name: string): string {
  return `${kind}/${namespace}/${name}`;
}

export function serviceCollections(inputs: ServiceInputs): ServiceCollections {
  const { graph, cluster, settings } = inputs;
  const meshServices = graph.flatMap('mesh services', cluster.of('Service'), (object) => {
    const service = meshServiceOf(object, settings);
    return [[meshServiceKey(settings, namespaceOf(service), service.hostname), service]];
  });
  const services = graph.map('services', meshServices, (service, context) =>
    servedService(service, context, inputs),
  );
  const servicesBySource = graph.index('services by source', services, ({ service }) => [
    sourceKey(service.kind, namespaceOf(service), nameOf(service)),
  ]);
  return { meshServices, services, servicesBySource };
}

function servedService(
  service: MeshService,
  context: Context,
  { cluster, network, waypoints }: ServiceInputs,
): ServedService | null {
  const derived = deriveService(service, {
    network: context.get(network, '') ?? '',
    namespace: context.get(cluster.of('Namespace'), objectKey('', namespaceOf(service))),
    waypoints: { get: (key) => context.get(waypoints, key) },
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
