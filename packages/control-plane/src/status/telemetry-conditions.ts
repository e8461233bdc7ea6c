/** What proxies cannot do of Telemetries, as conditions. Istio says nothing of this kind. */
import type { Context } from '../collections/cell.ts';
import type { Collection } from '../collections/collection.ts';
import type { Graph } from '../collections/graph.ts';
import { SIDECAR_STATUS_ANNOTATION } from '../derive/labels.ts';
import type { MeshCollections } from '../derive/mesh-collections.ts';
import { settingsIn } from '../derive/mesh-settings.ts';
import { annotationsOf, byAge, nameOf, namespaceOf } from '../derive/object.ts';
import { isWide } from '../derive/telemetry/applicable.ts';
import { isKnown } from '../derive/telemetry/telemetry-lookups.ts';
import {
  followersOf,
  type ProblemContext,
  telemetryProblems,
} from '../derive/telemetry/telemetry-problems.ts';
import { type ClusterInputs, objectKey } from '../ingest/cluster-inputs.ts';
import type { WatchedKind } from '../ingest/kinds.ts';
import { isSameWish, type Wish } from '../reconcile/wish.ts';
import { conditionWish } from './condition-wish.ts';
import { unsupportedCondition } from './unsupported-condition.ts';

const TYPE = 'aquifer.io/Followed';

/** Only where there is something to say. */
export function telemetryWishes(
  graph: Graph,
  cluster: ClusterInputs,
  mesh: MeshCollections,
): Collection<Wish> {
  const wide = graph.index('Telemetries of whole namespaces', cluster.of('Telemetry'), (one) =>
    isWide(one) ? [namespaceOf(one)] : [],
  );
  const injected = graph.index('namespaces with sidecars', cluster.of('Pod'), (pod) =>
    SIDECAR_STATUS_ANNOTATION in annotationsOf(pod) ? [namespaceOf(pod), EVERYWHERE] : [],
  );
  const withWaypoints = graph.index('namespaces with waypoints', mesh.waypoints, (waypoint) => [
    waypoint.namespace,
    EVERYWHERE,
  ]);
  return graph.flatMap(
    'wishes for Telemetries',
    cluster.of('Telemetry'),
    (telemetry, context) => {
      const { rootNamespace } = settingsIn(mesh, context);
      const namespace = namespaceOf(telemetry);
      const [oldest = telemetry] = context.lookup(wide, namespace).toSorted(byAge);
      const place = namespace === rootNamespace ? EVERYWHERE : namespace;
      const followers = followersOf(telemetry);
      const hasWaypoints = context.lookup(withWaypoints, place).length > 0;
      const hasSidecars = context.lookup(injected, place).length > 0;
      const problems = telemetryProblems(telemetry, {
        ...settingsOf(mesh, context),
        followers: {
          waypoints: followers.waypoints && hasWaypoints,
          others: followers.others && hasSidecars,
        },
        older: isWide(telemetry) && nameOf(oldest) !== nameOf(telemetry) ? nameOf(oldest) : null,
        hasTarget: (kind, name) => {
          const key = objectKey(kind === 'GatewayClass' ? '' : namespace, name);
          return context.get(cluster.anyOf(kind as WatchedKind), key) !== undefined;
        },
      });
      const stored = telemetry.status?.conditions;
      return conditionWish(
        {
          ...{ kind: 'Telemetry', object: telemetry, stored, types: [TYPE] },
          fieldManager: 'aquifer-telemetry',
        },
        unsupportedCondition(TYPE, problems, telemetry.metadata.generation),
      );
    },
    isSameWish,
  );
}

const EVERYWHERE = '*';

function settingsOf(
  mesh: MeshCollections,
  context: Context,
): Pick<ProblemContext, 'mesh' | 'providers' | 'isKnown'> {
  const { telemetry, extensionProviders } = settingsIn(mesh, context);
  return {
    mesh: telemetry,
    providers: extensionProviders,
    isKnown: (service) => isKnown(service, mesh, context),
  };
}
