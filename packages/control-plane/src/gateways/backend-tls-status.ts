/** The statuses of BackendTLSPolicies: what each Service, and each Gateway with routes to it, makes of one (spec l7 4.7, 4.9). */
import type { BackendTLSPolicy, ParentReference } from '@aquifer/model/resources';
import type { Collection } from '../collections/collection.ts';
import type { Graph } from '../collections/graph.ts';
import { leadingRules } from '../derive/gateway-api/any-route.ts';
import type { ReadBackendTls } from '../derive/gateway-api/backend-tls.ts';
import type {
  GatewayApiCollections,
  RouteParents,
} from '../derive/gateway-api/gateway-api-collections.ts';
import type { Problem } from '../derive/gateway-api/gateway-listener.ts';
import { GATEWAY_CONTROLLER, WAYPOINT_CONTROLLER } from '../derive/labels.ts';
import { nameOf, namespaceOf } from '../derive/object.ts';
import { isServiceBackend } from '../derive/routing/gateway-route.ts';
import { objectKey } from '../ingest/cluster-inputs.ts';
import { collectionPath, WATCHED_KINDS } from '../ingest/kinds.ts';
import { isSameWish, type Wish } from '../reconcile/wish.ts';
import { type ConditionText, isPresent, withTransitionTime } from '../status/condition-list.ts';

interface DerivedAncestor {
  readonly ancestorRef: ParentReference;
  readonly controllerName: string;
  readonly conditions: readonly ConditionText[];
}

const OURS: readonly string[] = [GATEWAY_CONTROLLER, WAYPOINT_CONTROLLER];

/** The API stores no more. Those of Services come first. */
const MAX_ANCESTORS = 16;

/** `gateways` are `namespace/name` of those with routes to the targets. */
export function deriveAncestors(
  read: ReadBackendTls,
  gateways: readonly string[],
): readonly DerivedAncestor[] {
  const { policy, targets } = read;
  const ofServices = targets.map(({ ref, problem }): DerivedAncestor => {
    const { group, kind, name, sectionName } = ref;
    return {
      ancestorRef: { group, kind, name, ...(sectionName !== undefined && { sectionName }) },
      controllerName: WAYPOINT_CONTROLLER,
      conditions: conditionsOf(read, problem),
    };
  });
  const problem = targets.find((target) => target.problem !== null)?.problem ?? null;
  const ofGateways = gateways.toSorted().map((key): DerivedAncestor => {
    const [namespace = '', name = ''] = key.split('/');
    return {
      ancestorRef: {
        group: 'gateway.networking.k8s.io',
        kind: 'Gateway',
        name,
        ...(namespace !== namespaceOf(policy) && { namespace }),
      },
      controllerName: GATEWAY_CONTROLLER,
      conditions: conditionsOf(read, problem),
    };
  });
  return [...ofServices, ...ofGateways].slice(0, MAX_ANCESTORS);
}

function conditionsOf(
  { policy, accepted, resolvedRefs }: ReadBackendTls,
  ofTarget: Problem | null,
): ConditionText[] {
  const { caCertificateRefs = [] } = policy.spec.validation;
  const ending =
    caCertificateRefs.length > 1 ? '; warning: only the first caCertificateRefs will be used' : '';
  return [
    condition('Accepted', ofTarget ?? accepted, ending),
    condition('ResolvedRefs', resolvedRefs, ''),
  ];
}

function condition(type: string, problem: Problem | null, ending: string): ConditionText {
  if (problem !== null) return { type, status: 'False', ...problem };
  return { type, status: 'True', reason: type, message: `Configuration is valid${ending}` };
}

export function backendTlsWishes(
  graph: Graph,
  { backendTls, routeParents }: GatewayApiCollections,
): Collection<Wish> {
  const leading = graph.index('routes at Gateways by Service', routeParents, servicesOfRoute);
  return graph.flatMap(
    'wishes for BackendTLSPolicies',
    backendTls.policies,
    (read, context): readonly (readonly [string, Wish])[] => {
      const services = read.targets
        .filter(({ ref }) => ref.group === '' && ref.kind === 'Service')
        .map(({ ref }) => objectKey(namespaceOf(read.policy), ref.name));
      const routes = [...new Set(services)].flatMap((key) => context.lookup(leading, key));
      const attached = routes.flatMap(({ parents }) =>
        parents.flatMap((parent) => parent.attached),
      );
      const gateways = [...new Set(attached.map(({ gateway }) => gateway))];
      return wishFor(read.policy, deriveAncestors(read, gateways));
    },
    isSameWish,
  );
}

/** As `namespace/name`. */
function servicesOfRoute({ route }: RouteParents): string[] {
  const backends = leadingRules(route).flatMap((rule) => rule.backends);
  const services = backends.filter(
    (backend) => isServiceBackend(backend) && backend.kind !== 'Hostname',
  );
  return [
    ...new Set(
      services.map(({ namespace = namespaceOf(route), name }) => objectKey(namespace, name)),
    ),
  ];
}

/** Entries of other controllers stay as they are. */
function wishFor(
  policy: BackendTLSPolicy,
  wanted: readonly DerivedAncestor[],
): readonly (readonly [string, Wish])[] {
  const stored = policy.status?.ancestors ?? [];
  const ours = stored.filter(({ controllerName }) => OURS.includes(controllerName));
  const observedGeneration = policy.metadata.generation ?? 0;
  const complete = wanted.map((ancestor) => {
    const known = ours.find((one) => keyOf(one) === keyOf(ancestor))?.conditions;
    return {
      written: ancestor.conditions.every((text) =>
        isPresent({ ...text, observedGeneration }, known),
      ),
      entry: {
        ...ancestor,
        conditions: ancestor.conditions.map((text) =>
          withTransitionTime({ ...text, observedGeneration }, known),
        ),
      },
    };
  });
  if (ours.length === complete.length && complete.every(({ written }) => written)) return [];
  const others = stored.filter(({ controllerName }) => !OURS.includes(controllerName));
  const { BackendTLSPolicy: kind } = WATCHED_KINDS;
  const path = `${collectionPath(kind, namespaceOf(policy))}/${nameOf(policy)}/status`;
  const { resourceVersion } = policy.metadata;
  const ancestors = [...others, ...complete.map(({ entry }) => entry)];
  const body = { metadata: { resourceVersion }, status: { ancestors } };
  const fingerprint = JSON.stringify([resourceVersion, wanted]);
  return [[path, { fingerprint, write: { verb: 'mergePatch', path, body } }]];
}

function keyOf({
  ancestorRef,
  controllerName,
}: {
  readonly ancestorRef: ParentReference;
  readonly controllerName: string;
}): string {
  const { group = '', kind = '', namespace = '', name, sectionName = '' } = ancestorRef;
  return [controllerName, group, kind, namespace, name, sectionName].join('|');
}
