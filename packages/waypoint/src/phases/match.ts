// hot path: every request
import { getHeader } from '@aquifer/http';
import type { HttpRequest } from '../request/http-request.ts';
import { NOT_FOUND, PATH_NOT_NORMALISED, UPGRADE_REFUSED } from '../request/outcome.ts';
import { normalizePath } from '../request/path.ts';

export function normalize(request: HttpRequest): boolean {
  if (request.method === 'CONNECT' || !isUpgradeAllowed(request)) {
    request.reply(UPGRADE_REFUSED);
    return true;
  }
  if (!request.connection.chain.normalizePath) return false;
  const target = normalizePath(request.target);
  if (target === null) {
    request.reply(PATH_NOT_NORMALISED);
    return true;
  }
  if (target !== request.target) request.target = target;
  return false;
}

/** WebSocket may upgrade; `h2c` is passed over and served as plain HTTP/1.1; anything else is refused. */
function isUpgradeAllowed(request: HttpRequest): boolean {
  if (request.isUpgrade) return true;
  const upgrade = getHeader(request.exchange.head.headers, 'upgrade');
  return upgrade === null || upgrade.toLowerCase() === 'h2c';
}

export function matchRoute(request: HttpRequest): boolean {
  const { chain, deps } = request.connection;
  request.route = deps.config.routesOf(chain)?.find(request) ?? null;
  if (request.route !== null) return false;
  request.reply(NOT_FOUND);
  return true;
}
