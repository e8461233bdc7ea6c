/** The GatewayClasses that the mesh brings, and the statuses of those that name its controllers (spec control-plane 5.1). */
import type { GatewayClass } from '@aquifer/model/resources';
import type { Context } from '../collections/cell.ts';
import type { Collection } from '../collections/collection.ts';
import type { Graph } from '../collections/graph.ts';
import { isRunHere } from '../derive/gateway-api/gateway-services.ts';
import { GATEWAY_CONTROLLER, WAYPOINT_CONTROLLER } from '../derive/labels.ts';
import { REMOTE_CLASS } from '../derive/network-gateways.ts';
import { type ClusterInputs, objectKey } from '../ingest/cluster-inputs.ts';
import { collectionPath, WATCHED_KINDS } from '../ingest/kinds.ts';
import { isSameWish, type Wish } from '../reconcile/wish.ts';
import { isPresent, withTransitionTime } from '../status/condition-list.ts';
import { type KeyedWish, STATUS_MANAGER } from './gateway-status-wish.ts';
import { classParameters, type ParameterCollections, type Parameters } from './parameters.ts';

interface OwnClass {
  readonly name: string;
  readonly controllerName: string;
  readonly description: string;
}

export const OWN_CLASSES: readonly OwnClass[] = [
  {
    name: 'istio',
    controllerName: GATEWAY_CONTROLLER,
    description: 'The default Istio GatewayClass',
  },
  {
    name: 'istio-waypoint',
    controllerName: WAYPOINT_CONTROLLER,
    description: 'The default Istio waypoint',
  },
  {
    name: REMOTE_CLASS,
    controllerName: 'istio.io/unmanaged-gateway',
    description: 'A gateway that runs elsewhere and is only described here',
  },
];

const CONTROLLERS = OWN_CLASSES.map(({ controllerName }) => controllerName);

/** Classes are made only where they are missing. */
export function gatewayClassWishes(
  graph: Graph,
  cluster: ClusterInputs,
  parameters: ParameterCollections,
): Collection<Wish> {
  const once = graph.constant('own classes', OWN_CLASSES);
  return graph.union(
    'wishes for classes',
    graph.flatMap(
      'wishes for missing classes',
      once,
      (classes, context) =>
        classes
          .filter(({ name }) => !context.get(cluster.of('GatewayClass'), objectKey('', name)))
          .map(creation),
      isSameWish,
    ),
    graph.flatMap(
      'wishes for statuses of classes',
      cluster.of('GatewayClass'),
      (gatewayClass, context) =>
        statusOf(gatewayClass, parametersIn(gatewayClass, parameters, context)),
      isSameWish,
    ),
  );
}

/** Gateways that run elsewhere are not deployed. */
function parametersIn(
  gatewayClass: GatewayClass,
  parameters: ParameterCollections,
  context: Context,
): Parameters {
  return isRunHere(gatewayClass)
    ? classParameters(gatewayClass, parameters, context)
    : { kind: 'usable', overlays: [] };
}

function creation({ name, ...spec }: OwnClass): KeyedWish {
  const { GatewayClass: kind } = WATCHED_KINDS;
  const body = { apiVersion: kind.apiVersion, kind: 'GatewayClass', metadata: { name }, spec };
  const write = { verb: 'create', path: collectionPath(kind), body } as const;
  return [`GatewayClass/${name}`, { fingerprint: 'exists', write }];
}

function statusOf(
  { metadata, spec, status }: GatewayClass,
  parameters: Parameters,
): readonly KeyedWish[] {
  if (!CONTROLLERS.includes(spec.controllerName) || parameters.kind === 'pending') return [];
  const text =
    parameters.kind === 'usable'
      ? { status: 'True', reason: 'Accepted', message: 'Handled by Istio controller' }
      : { status: 'False', reason: 'InvalidParameters', message: parameters.problem };
  const wanted = { type: 'Accepted', ...text, observedGeneration: metadata.generation ?? 0 };
  if (isPresent(wanted, status?.conditions)) return [];
  const name = metadata.name ?? '';
  const conditions = [withTransitionTime(wanted, status?.conditions)];
  const { apiVersion } = WATCHED_KINDS.GatewayClass;
  const body = { apiVersion, kind: 'GatewayClass', metadata: { name }, status: { conditions } };
  const path = `${collectionPath(WATCHED_KINDS.GatewayClass)}/${name}/status`;
  const fingerprint = JSON.stringify([metadata.resourceVersion, wanted]);
  const write = { verb: 'apply', path, body, fieldManager: STATUS_MANAGER } as const;
  return [[`GatewayClass/${name} status`, { fingerprint, write }]];
}
