/** VirtualServices as the mesh's own rules (spec l7 1.3–1.14, recordings l7/08–11). */
import type { VirtualService, VirtualServiceHttpRoute } from '@aquifer/model/resources';
import type { MeshSettings } from '../mesh.ts';
import { namespaceOf } from '../object.ts';
import { type FindVirtualService, resolvedRoutes } from './delegates.ts';
import { grpcStatusNamed } from './grpc-status.ts';
import { headerProblem } from './header-problem.ts';
import { isRegex, isSubstitution, regexProblem } from './regex.ts';
import {
  FAILURE,
  NO_HEADER_CHANGES,
  type RouteAction,
  type RouteRule,
  reachable,
} from './route-rule.ts';
import {
  corsPolicy,
  faultOf,
  forwardAction,
  redirectAction,
  respondAction,
} from './virtual-service-actions.ts';
import { headerChanges, newAuthority } from './virtual-service-headers.ts';
import {
  type HttpMatch,
  isFor,
  matchProblem,
  type RuleAudience,
  routeMatch,
} from './virtual-service-match.ts';

type HttpRoute = VirtualServiceHttpRoute;

/** The rules of HTTP, in the order of the VirtualService; those that nobody of the audience can ever meet are left out. */
export function rulesOfVirtualService(
  service: VirtualService,
  audience: RuleAudience,
  find: FindVirtualService,
  mesh: Pick<MeshSettings, 'clusterDomain'>,
): readonly RouteRule[] {
  const namespace = namespaceOf(service);
  const rules = resolvedRoutes(service, find, mesh).flatMap((route) => {
    const { match = [] } = route;
    if (match.length === 0) return [ruleOf(route, null)];
    return match
      .filter((block) => isFor(block, audience, namespace) && matchProblem(block) === null)
      .map((block) => ruleOf(route, block));
  });
  return reachable(rules);
}

function ruleOf(route: HttpRoute, block: HttpMatch | null): RouteRule {
  const { name = '' } = route;
  const isSound = routeProblem(route) === null;
  return {
    name: block?.name ? `${name}.${block.name}` : name,
    match: block === null ? null : routeMatch(block),
    headers: isSound ? headerChanges(route.headers) : NO_HEADER_CHANGES,
    action: isSound ? actionOf(route) : FAILURE,
    cors: route.corsPolicy === undefined ? null : corsPolicy(route.corsPolicy),
    // One that proxies cannot read is part of what is unsound.
    fault: route.fault === undefined || !isSound ? null : faultOf(route.fault),
  };
}

const REDIRECT_STATUSES: readonly number[] = [301, 302, 303, 307, 308];

/** Patterns that Envoy would refuse the whole configuration for. */
function patternProblem({ rewrite, corsPolicy: cors }: HttpRoute): string | null {
  const { match = '', rewrite: substitution = '' } = rewrite?.uriRegexRewrite ?? {};
  const origins = (cors?.allowOrigins ?? []).flatMap(({ regex }) => regex ?? []);
  const unread = [match, ...origins].find((regex) => !isRegex(regex));
  if (unread !== undefined) return regexProblem(unread);
  return isSubstitution(match, substitution)
    ? null
    : `rewrite "${substitution}" names a group that "${match}" does not have`;
}

function statusProblem({ fault, directResponse, redirect }: HttpRoute): string | null {
  const { httpStatus, grpcStatus } = fault?.abort ?? {};
  const status = [httpStatus, directResponse?.status].find(
    (code) => code !== undefined && (code < 200 || code > 599),
  );
  if (status !== undefined) return `status ${status} is not between 200 and 599`;
  const { redirectCode = 0 } = redirect ?? {};
  if (redirectCode !== 0 && !REDIRECT_STATUSES.includes(redirectCode)) {
    return `redirectCode ${redirectCode} is none of ${REDIRECT_STATUSES.join(', ')}`;
  }
  return grpcStatus === undefined || grpcStatusNamed(grpcStatus) !== null
    ? null
    : `grpcStatus "${grpcStatus}" is the name of none`;
}

/** Why the route can do nothing but fail; null if it can do what it says. */
export function routeProblem(route: HttpRoute): string | null {
  return (
    headersProblem(route) ?? patternProblem(route) ?? statusProblem(route) ?? aimProblem(route)
  );
}

function headersProblem({ headers, route = [] }: HttpRoute): string | null {
  const written = [headers, ...route.map((entry) => entry.headers)]
    .map(headerChanges)
    .flatMap(({ request, response }) => [request, response]);
  return headerProblem(written.flatMap(({ set, add }) => [...set, ...add]));
}

function aimProblem({ redirect, directResponse, route = [] }: HttpRoute): string | null {
  if (redirect !== undefined || directResponse !== undefined) return null;
  if (route.length === 0) return 'no route, redirect or directResponse is said';
  return route.length > 1 && route.every(({ weight = 0 }) => weight <= 0)
    ? 'no destination has a weight'
    : null;
}

function actionOf(route: HttpRoute): RouteAction {
  if (route.redirect !== undefined) return redirectAction(route.redirect);
  if (route.directResponse !== undefined) return respondAction(route.directResponse);
  return forwardAction(route, route.rewrite?.authority || newAuthority(route.headers));
}
