// hot path: every request that goes upstream
import type { HttpRequest } from '../request/http-request.ts';
import { clusterNotFound } from '../request/outcome.ts';
import { UpstreamCall } from '../request/upstream-call.ts';

export function forward(request: HttpRequest): boolean {
  const action = request.route?.action;
  if (action?.kind !== 'forward') return false;
  const target = request.backend;
  const { info, deps } = request.connection;
  const cluster =
    target === null
      ? null
      : deps.config.clusters.get(target.cluster, info.destination, request.authority);
  if (target === null || cluster === null) {
    request.reply(clusterNotFound(action.clusterNotFoundStatus));
    return true;
  }
  request.clusterName = cluster.name;
  const call = new UpstreamCall(request, { action, target, cluster });
  request.call = call;
  call.start();
  // Somebody else has read it before.
  if (request.hasEnded) call.requestEnded();
  return true;
}
