// hot path: every request
import type { ForwardAction, WeightedTarget } from '../compile/route.ts';
import type { HttpRequest } from '../request/http-request.ts';
import {
  MISSING_HOST,
  NO_PATH,
  NOT_FOUND,
  PATH_NOT_NORMALISED,
  PATH_REDIRECTED,
  UPGRADE_REFUSED,
} from '../request/outcome.ts';
import { normalizeTarget } from '../request/path.ts';

export function normalize(request: HttpRequest): boolean {
  const { target } = request;
  if (!request.hasAuthority) {
    request.reply(MISSING_HOST);
    return true;
  }
  if (!target.startsWith('/')) {
    if (request.method === 'CONNECT') return false;
    request.reply(NO_PATH);
    return true;
  }
  const normalized = normalizeTarget(target, request.connection.chain.pathRules);
  // Clients of gRPC follow no redirect.
  const isUseless = typeof normalized === 'object' && request.isGrpc;
  if (normalized === null || isUseless) {
    request.reply(PATH_NOT_NORMALISED);
    return true;
  }
  if (typeof normalized !== 'string') {
    request.target = normalized.redirectTo;
    request.reply(PATH_REDIRECTED, ['location', request.target]);
    return true;
  }
  if (normalized !== target) request.target = normalized;
  return false;
}

/** No route takes a CONNECT. What the route leads to is logged, and changes answers, even if the request gets no further. */
export function matchRoute(request: HttpRequest): boolean {
  const { chain, deps } = request.connection;
  if (request.method === 'CONNECT') return false;
  request.route = deps.config.routesOf(chain)?.find(request) ?? null;
  const action = request.route?.action;
  if (action?.kind !== 'forward') return false;
  request.backend = chooseTarget(action);
  if (request.backend !== null) {
    request.clusterName = deps.config.clusters.get(request.backend.cluster)?.name ?? null;
  }
  return false;
}

/** Null when all weights are zero. */
function chooseTarget(action: ForwardAction): WeightedTarget | null {
  if (action.targets.length === 1) return action.targets[0]!;
  let left = Math.random() * action.totalWeight;
  for (const target of action.targets) {
    left -= target.weight;
    if (left < 0) return target;
  }
  return null;
}

/**
 * WebSocket may upgrade where the listener says so; `h2c` is passed over and served as plain HTTP/1.1; anything else is
 * refused. So is an upgrade with a body, where two readers could disagree about where that ends and the other protocol
 * begins; and one by another method than GET, which HTTP/2 could not pass on: policies would have judged another one.
 */
export function refuseUpgrade(request: HttpRequest): boolean {
  const { upgrade, isUpgrade, exchange, method } = request;
  const { chain, version } = request.connection;
  const isBare = exchange.body === 0 || version === 'HTTP/2';
  const mayUpgrade = isUpgrade && isBare && method === 'GET' && chain.takesWebSocket;
  const isPassedOver = upgrade === 'h2c' && version === 'HTTP/1.1';
  if (upgrade === null || mayUpgrade || isPassedOver) return false;
  request.reply(UPGRADE_REFUSED);
  return true;
}

export function requireRoute(request: HttpRequest): boolean {
  if (request.route !== null) return false;
  request.reply(request.method === 'CONNECT' ? { ...NOT_FOUND, closes: true } : NOT_FOUND);
  return true;
}
