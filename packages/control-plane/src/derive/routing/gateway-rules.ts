/** HTTPRoutes and GRPCRoutes as the mesh's own rules (spec l7 4, recordings l7/04–07). */
import { type MeshSettings, serviceHostname } from '../mesh.ts';
import { byAge, namespaceOf } from '../object.ts';
import {
  corsPolicy,
  headerChanges,
  mirroredShare,
  newAuthority,
  redirectAction,
  rewrittenPath,
  ruleProblem,
} from './gateway-filters.ts';
import { bySpecificity, isReadable, routeMatch } from './gateway-match.ts';
import { resilience } from './gateway-resilience.ts';
import {
  type BackendRef,
  type GatewayMatch,
  type GatewayRule,
  gatewayRules,
  isServiceBackend,
  type Route,
} from './gateway-route.ts';
import {
  type Destination,
  FAILURE,
  type Mirror,
  NO_HEADER_CHANGES,
  type RouteAction,
  type RouteRule,
  reachable,
} from './route-rule.ts';

type Names = Pick<MeshSettings, 'clusterDomain'>;

interface Entry {
  readonly rule: GatewayRule;
  readonly match: GatewayMatch;
  /** Of the route. */
  readonly namespace: string;
}

/** The rules of routes that hold for the same requests, the more specific first; a pattern that nobody can read is none. */
export function rulesOfRoutes(routes: readonly Route[], mesh: Names): readonly RouteRule[] {
  const entries = routes
    .toSorted(byAge)
    .flatMap((route) =>
      gatewayRules(route).map((rule) => ({ rule, namespace: namespaceOf(route) })),
    )
    .flatMap(({ rule, namespace }): Entry[] =>
      rule.matches.filter(isReadable).map((match) => ({ rule, match, namespace })),
    );
  entries.sort((a, b) => bySpecificity(a.match, b.match));
  return reachable(entries.map((entry) => ruleOf(entry, mesh)));
}

function ruleOf(entry: Entry, mesh: Names): RouteRule {
  const { rule, match } = entry;
  const isSound = ruleProblem(rule.filters, receiving(rule)) === null;
  return {
    name: rule.name,
    match: routeMatch(match),
    headers: isSound ? headerChanges(rule.filters) : NO_HEADER_CHANGES,
    action: isSound ? actionOf(entry, mesh) : FAILURE,
    cors: corsPolicy(rule.filters),
    fault: null,
  };
}

function receiving({ backends }: GatewayRule): BackendRef[] {
  return backends.filter(({ weight = 1 }) => weight > 0);
}

function actionOf({ rule, match, namespace }: Entry, mesh: Names): RouteAction {
  const { filters } = rule;
  const backends = receiving(rule);
  const redirect = redirectAction(filters, match);
  if (redirect !== null) return redirect;
  if (backends.length === 0) return FAILURE;
  return {
    kind: 'forward',
    destinations: backends.map((backend) => ({
      destination: destinationOf(backend, namespace, mesh),
      weight: backend.weight ?? 1,
      headers: headerChanges(backend.filters ?? []),
      authority: newAuthority(backend.filters ?? []),
    })),
    path: rewrittenPath(filters, match),
    authority: newAuthority(filters),
    mirrors: filters
      .flatMap(({ requestMirror }) => requestMirror ?? [])
      .map((mirror): Mirror => {
        const destination = destinationOf(mirror.backendRef, namespace, mesh);
        return { destination, share: mirroredShare(mirror) };
      }),
    ...resilience(rule),
    missingStatus: 500,
  };
}

/** What is no service of the mesh, or says no port, is nothing. */
function destinationOf(
  ref: Pick<BackendRef, 'group' | 'kind' | 'namespace' | 'name' | 'port'>,
  routeNamespace: string,
  mesh: Names,
): Destination {
  const { namespace = routeNamespace, name, port } = ref;
  if (port === undefined || !isServiceBackend(ref)) {
    return { host: null, namespace: null, subset: '', port: null };
  }
  if (ref.kind === 'Hostname') return { host: name, namespace: null, subset: '', port };
  return { host: serviceHostname(mesh, namespace, name), namespace, subset: '', port };
}
