// hot path: every request
import { applyCors } from '../filters/cors.ts';
import { applyFault } from '../filters/fault.ts';
import type { HttpRequest } from '../request/http-request.ts';

/** The filters of the chain, as the route configures them; what it says nothing to, the chain does. */

export function injectFault(request: HttpRequest, resume: (request: HttpRequest) => void): boolean {
  const { fault } = request.connection.chain.filters;
  if (!fault.isPresent) return false;
  const config = request.route?.filters?.fault ?? fault.forAll;
  return config !== null && applyFault(config, request, () => resume(request));
}

/** As in Envoy, what its route answers alone is not asked about. */
export function shareAcrossOrigins(request: HttpRequest): boolean {
  const { route, connection } = request;
  if (!connection.chain.filters.cors || route?.action.kind !== 'forward') return false;
  const policy = route.filters?.cors ?? null;
  return policy !== null && applyCors(policy, request);
}

export function limitRate(request: HttpRequest): boolean {
  const { rateLimit } = request.connection.chain.filters;
  if (!rateLimit.isPresent) return false;
  const limit = request.route?.filters?.rateLimit ?? rateLimit.forAll;
  return limit?.answers(request) ?? false;
}
