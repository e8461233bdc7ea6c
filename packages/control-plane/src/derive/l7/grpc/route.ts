/** Routes for gRPC clients: what sidecars follow, as far as gRPC takes it (gRFC A28, A31, A33, A44). */
import {
  type Route,
  type RouteAction,
  RouteAction_MaxStreamDurationSchema,
  RouteConfigurationSchema,
  type RouteMatch,
} from '@aquifer/wire/gen/envoy/config/route/v3_pb';
import { RegexMatcherSchema } from '@aquifer/wire/gen/envoy/type/matcher/v3_pb';
import { create } from '@bufbuild/protobuf';
import type { ObjectRef } from '../../../ingest/kinds.ts';
import type { Resource } from '../../resource.ts';
import { FAULT_FILTER } from '../envoy-filters.ts';
import type { RouteInit } from '../envoy-route.ts';
import { encoded } from '../owned-resource.ts';

/** Whatever the host is: a client has chosen the table by it. */
export function grpcRoutes(
  name: string,
  routes: readonly RouteInit[],
  sources: readonly ObjectRef[],
): Resource<null> {
  const table = create(RouteConfigurationSchema, {
    name,
    virtualHosts: [{ name, domains: ['*'], routes: [...routes] }],
  });
  for (const { routes: made } of table.virtualHosts) made.forEach(reduce);
  return encoded(RouteConfigurationSchema, table, sources);
}

/** A client refuses a table with a path or a filter that it does not know, whole. */
function reduce(route: Route): void {
  const { match, action, typedPerFilterConfig } = route;
  const fault = typedPerFilterConfig[FAULT_FILTER];
  route.typedPerFilterConfig = fault === undefined ? {} : { [FAULT_FILTER]: fault };
  if (match !== undefined) reducePath(match);
  if (action.case === 'route') reduceAction(action.value);
}

function reducePath(match: RouteMatch): void {
  const { pathSpecifier } = match;
  if (pathSpecifier.case !== 'pathSeparatedPrefix') return;
  const regex = `${RegExp.escape(pathSpecifier.value)}(/.*)?`;
  match.pathSpecifier = { case: 'safeRegex', value: create(RegexMatcherSchema, { regex }) };
}

/** Of all limits of time it reads only that of the stream. A policy of no retries is said by none. */
function reduceAction(action: RouteAction): void {
  const { timeout, retryPolicy } = action;
  if (timeout !== undefined && (timeout.seconds > 0n || timeout.nanos > 0)) {
    action.maxStreamDuration = create(RouteAction_MaxStreamDurationSchema, {
      maxStreamDuration: timeout,
    });
  }
  if (retryPolicy?.numRetries === 0) delete action.retryPolicy;
}
