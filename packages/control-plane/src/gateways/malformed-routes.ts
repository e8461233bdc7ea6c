/** What is said of routes that cannot be read (docs/adr/0041-shapes-at-ingest.md): to each parent that can be made out. */
import type { ParentReference } from '@aquifer/model/resources';
import type { Collection } from '../collections/collection.ts';
import type { Graph } from '../collections/graph.ts';
import { type AnyRoute, ROUTE_KINDS } from '../derive/gateway-api/any-route.ts';
import type { GatewayApiCollections } from '../derive/gateway-api/gateway-api-collections.ts';
import { namespaceOf } from '../derive/object.ts';
import { parentsOf } from '../derive/routing/gateway-route.ts';
import { objectKey } from '../ingest/cluster-inputs.ts';
import type { Malformed, MalformedObjects } from '../ingest/malformed.ts';
import { isSameWish, type Wish } from '../reconcile/wish.ts';
import { routeStatusWish } from './route-status.ts';

/** A route that has no parent to be told of it is in the log, and in `aquifer analyze`. */
export function malformedRouteWishes(
  graph: Graph,
  malformed: MalformedObjects,
  { gateways }: Pick<GatewayApiCollections, 'gateways'>,
): Collection<Wish> {
  return graph.flatMap(
    'wishes for malformed routes',
    malformed,
    ({ kind, object, problem }, context) => {
      if (!isRouteKind(kind)) return [];
      const route = readable(object, kind);
      const accepted = {
        type: 'Accepted',
        status: 'False',
        reason: 'UnsupportedValue',
        message: `${problem}. The last good version counts until that is corrected`,
      };
      const atGateways = (route.spec?.parentRefs ?? []).filter((ref) => {
        const key = gatewayOf(ref, route);
        return key !== null && context.get(gateways, key) !== undefined;
      });
      const parents = [...atGateways, ...parentsOf(route)].map((parentRef) => ({
        parentRef,
        conditions: [accepted],
      }));
      return parents.length === 0 ? [] : routeStatusWish(route, parents);
    },
    isSameWish,
  );
}

function isRouteKind(kind: string): kind is AnyRoute['kind'] {
  return (ROUTE_KINDS as readonly string[]).includes(kind);
}

const GATEWAY_GROUP = 'gateway.networking.k8s.io';

/** Null for a parent of another kind. */
function gatewayOf(ref: ParentReference, route: AnyRoute): string | null {
  const { group = GATEWAY_GROUP, kind = 'Gateway', name, namespace = namespaceOf(route) } = ref;
  return group === GATEWAY_GROUP && kind === 'Gateway' ? objectKey(namespace, name) : null;
}

/** The route with those of its parents, and of its status, that have the right shape. */
function readable(object: Malformed['object'], kind: AnyRoute['kind']): AnyRoute {
  const { spec, status } = object as { readonly spec?: unknown; readonly status?: unknown };
  const parentRefs = listIn(spec, 'parentRefs').filter(isParent);
  const parents = listIn(status, 'parents').filter(
    (parent) => isRecord(parent) && isParent(parent.parentRef) && Array.isArray(parent.conditions),
  );
  return { ...object, kind, spec: { parentRefs }, status: { parents } } as unknown as AnyRoute;
}

function listIn(holder: unknown, name: string): readonly unknown[] {
  const list = isRecord(holder) ? holder[name] : undefined;
  return Array.isArray(list) ? list : [];
}

function isParent(ref: unknown): ref is ParentReference {
  if (!isRecord(ref) || typeof ref.name !== 'string') return false;
  const { group = '', kind = '', namespace = '', sectionName = '', port = 1 } = ref;
  const texts = [group, kind, namespace, sectionName];
  return texts.every((text) => typeof text === 'string') && Number.isInteger(port);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
