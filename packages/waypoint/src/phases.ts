import { redirect, respondDirectly } from './phases/answer.ts';
import { askProviders } from './phases/ask.ts';
import { authenticate, authorize } from './phases/authorize.ts';
import { injectFault, limitRate, shareAcrossOrigins } from './phases/filter.ts';
import { forward } from './phases/forward.ts';
import { matchRoute, normalize, refuseUpgrade, requireRoute } from './phases/match.ts';
import type { HttpRequest } from './request/http-request.ts';

/**
 * Returns true when the request has been answered or sent on, and the phases after it are not for it; or not yet: one
 * that has a request wait calls `resume` when it goes on.
 */
type Phase = (request: HttpRequest, resume: (request: HttpRequest) => void) => boolean;

/**
 * What happens to a request, in this order (spec l7 0.2):
 *
 *   normalize           the path as policies, routes and the upstream see it; 400 if it has no such form
 *   matchRoute          the first route that matches, which local answers are changed and logged by too
 *   refuseUpgrade       403 to what is not upgraded to
 *   askProviders        somebody else decides; 403 unless it may pass
 *   authenticate        tokens of whoever asks, 401 if one is not valid
 *   authorize           L7 policies on the original client's identity; 403 `RBAC: access denied`
 *   injectFault         delays and failures on purpose
 *   shareAcrossOrigins  preflights, and what answers say to pages of other origins
 *   limitRate           429 to what is too much
 *   requireRoute        404 without a route
 *   redirect            answers a redirect route
 *   respondDirectly     answers a direct response route
 *   forward             cluster, host, attempts with retries and timeouts
 */
const PHASES: readonly Phase[] = [
  normalize,
  matchRoute,
  refuseUpgrade,
  askProviders,
  authenticate,
  authorize,
  injectFault,
  shareAcrossOrigins,
  limitRate,
  requireRoute,
  redirect,
  respondDirectly,
  forward,
];

/** What runs the rest, by the number of the phase. */
const RESUMES = PHASES.map((_, i) => (request: HttpRequest) => runFrom(i + 1, request));

export function runPhases(request: HttpRequest): void {
  runFrom(0, request);
}

function runFrom(first: number, request: HttpRequest): void {
  for (let i = first; i < PHASES.length; i++) if (PHASES[i]!(request, RESUMES[i]!)) return;
}
