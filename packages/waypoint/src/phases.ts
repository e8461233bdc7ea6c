import { redirect, respondDirectly } from './phases/answer.ts';
import { authorize } from './phases/authorize.ts';
import { forward } from './phases/forward.ts';
import { matchRoute, normalize, refuseUpgrade, requireRoute } from './phases/match.ts';
import type { HttpRequest } from './request/http-request.ts';

/** Returns true when the request has been answered or sent on, and the phases after it are not for it. */
type Phase = (request: HttpRequest) => boolean;

/**
 * What happens to a request, in this order (spec l7 0.2):
 *
 *   normalize         the path as policies, routes and the upstream see it; 400 if it has no such form
 *   matchRoute        the first route that matches, which local answers are changed and logged by too
 *   refuseUpgrade     403 to what is not upgraded to
 *   authorize         L7 policies on the original client's identity; 403 `RBAC: access denied`
 *   requireRoute      404 without a route
 *   redirect          answers a redirect route
 *   respondDirectly   answers a direct response route
 *   forward           cluster, host, attempts with retries and timeouts
 */
const PHASES: readonly Phase[] = [
  normalize,
  matchRoute,
  refuseUpgrade,
  authorize,
  requireRoute,
  redirect,
  respondDirectly,
  forward,
];

export function runPhases(request: HttpRequest): void {
  for (const phase of PHASES) if (phase(request)) return;
}
