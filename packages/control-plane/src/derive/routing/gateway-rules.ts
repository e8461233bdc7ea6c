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

/** Whether a route may lead to a backend. */
export type MayLead = (route: Route, backend: BackendRef) => boolean;

interface Entry {
  readonly rule: GatewayRule;
  readonly match: GatewayMatch;
  readonly route: Route;
}

interface Reading {
  readonly mesh: Names;
  readonly mayLead: MayLead;
}

/** The rules of routes that hold for the same requests, the more specific first; a pattern that nobody can read is none. */
export function rulesOfRoutes(
  routes: readonly Route[],
  mesh: Names,
  mayLead: MayLead = () => true,
): readonly RouteRule[] {
  const entries = routes
    .toSorted(byAge)
    .flatMap((route) => gatewayRules(route).map((rule) => ({ rule, route })))
    .flatMap(({ rule, route }): Entry[] =>
      rule.matches.filter(isReadable).map((match) => ({ rule, match, route })),
    );
  entries.sort((a, b) => bySpecificity(a.match, b.match));
  return reachable(entries.map((entry) => ruleOf(entry, { mesh, mayLead })));
}

function ruleOf(entry: Entry, reading: Reading): RouteRule {
  const { rule, match } = entry;
  const isSound = ruleProblem(rule.filters, receiving(rule)) === null;
  return {
    name: rule.name,
    match: routeMatch(match),
    headers: isSound ? headerChanges(rule.filters) : NO_HEADER_CHANGES,
    action: isSound ? actionOf(entry, reading) : FAILURE,
    cors: corsPolicy(rule.filters),
    fault: null,
  };
}

function receiving({ backends }: GatewayRule): BackendRef[] {
  return backends.filter(({ weight = 1 }) => weight > 0);
}

function actionOf({ rule, match, route }: Entry, reading: Reading): RouteAction {
  const { filters } = rule;
  const backends = receiving(rule);
  const redirect = redirectAction(filters, match);
  if (redirect !== null) return redirect;
  if (backends.length === 0) return FAILURE;
  return {
    kind: 'forward',
    destinations: backends.map((backend) => ({
      destination: destinationOf(backend, route, reading),
      weight: backend.weight ?? 1,
      headers: headerChanges(backend.filters ?? []),
      authority: newAuthority(backend.filters ?? []),
    })),
    path: rewrittenPath(filters, match),
    authority: newAuthority(filters),
    mirrors: filters
      .flatMap(({ requestMirror }) => requestMirror ?? [])
      .map((mirror): Mirror => {
        const destination = destinationOf(mirror.backendRef, route, reading);
        return { destination, share: mirroredShare(mirror) };
      }),
    ...resilience(rule),
    missingStatus: 500,
  };
}

/** What is no service of the mesh, says no port or is not the route's to lead to, is nothing. */
function destinationOf(ref: BackendRef, route: Route, { mesh, mayLead }: Reading): Destination {
  const { namespace = namespaceOf(route), name, port } = ref;
  if (port === undefined || !isServiceBackend(ref) || !mayLead(route, ref)) {
    return { host: null, namespace: null, subset: '', port: null };
  }
  if (ref.kind === 'Hostname') return { host: name, namespace: null, subset: '', port };
  return { host: serviceHostname(mesh, namespace, name), namespace, subset: '', port };
}
