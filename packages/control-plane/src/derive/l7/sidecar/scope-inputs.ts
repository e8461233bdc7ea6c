/** What the configuration of sidecars is derived from. */
import type { Context } from '../../../collections/cell.ts';
import type { Collection } from '../../../collections/collection.ts';
import type { Graph } from '../../../collections/graph.ts';
import type { ClusterInputs } from '../../../ingest/cluster-inputs.ts';
import type { MeshCollections } from '../../mesh-collections.ts';
import { settingsIn } from '../../mesh-settings.ts';
import {
  canonicalOf,
  type FoundTelemetry,
  type TelemetryOf,
} from '../../telemetry/telemetry-lookups.ts';
import type { RoutingLookups } from '../routing-lookups.ts';
import type { EgressScope } from './egress-scope.ts';
import type { RouteClient } from './host-routes.ts';
import type { OutboundView } from './views.ts';

export interface ProxyInputs {
  readonly graph: Graph;
  readonly cluster: ClusterInputs;
  readonly mesh: MeshCollections;
  readonly routing: RoutingLookups;
  /** JSON Web Key Sets by address, as they were fetched. */
  readonly keySets: Collection<string>;
  readonly telemetryOf: TelemetryOf;
}

export interface ScopeInputs extends ProxyInputs {
  readonly scopes: Collection<EgressScope>;
}

/** Who follows the rules of a scope. */
export function clientIn(
  { view }: EgressScope,
  { mesh, routing }: ProxyInputs,
  context: Context,
): RouteClient {
  return { view, mesh: settingsIn(mesh, context), routing, context };
}

/** What a sidecar tells of what its workload asks. */
export function clientTelemetry(
  { namespace, labels, meshId }: OutboundView,
  { telemetryOf }: Pick<ProxyInputs, 'telemetryOf'>,
  context: Context,
): FoundTelemetry {
  const canonical = canonicalOf(labels);
  const whose = { namespace, labels, targets: [], canonical, meshId };
  return telemetryOf({ ...whose, role: 'sidecar', side: 'client' }, context);
}
