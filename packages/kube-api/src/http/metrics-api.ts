/** `metrics.k8s.io`: what pods and nodes use, from what the kubelets have measured. What `kubectl top` asks. */
import type { ApiObject, MetricsSource } from '../cluster-client.ts';
import { metricsGroup, type ServedResource } from '../resource-registry.ts';
import { methodNotAllowed, noSuchResource, notFound } from '../status.ts';
import { tableOf, wantsTable } from '../tables/table.ts';
import { type Exchange, sendJson } from './exchange.ts';
import { includeObject, selectorOf, sendObject } from './read-handlers.ts';
import type { ResourcePath } from './request-info.ts';

/** Answers get and list. Throws 404 for what has not been measured yet. */
export function handleMetrics(
  exchange: Exchange,
  source: MetricsSource,
  resource: ServedResource,
  path: ResourcePath,
): void {
  const { request, response, info } = exchange;
  if (path.subresource !== '') throw noSuchResource();
  if (info.verb !== 'get' && info.verb !== 'list') {
    throw methodNotAllowed('the server does not allow this method on the requested resource');
  }
  const measured = resource.namespaced ? source.pods() : source.nodes();
  const selects = selectorOf(resource, path, info.query);
  const items = measured.filter(selects).toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  if (info.verb === 'get') {
    const [object] = items;
    if (object === undefined) throw notFound({ ...resource, group: metricsGroup }, path.name);
    sendObject(exchange, resource, object);
    return;
  }
  if (wantsTable(request.headers.accept)) {
    sendJson(response, 200, tableOf(resource, items, {}, includeObject(info.query)));
    return;
  }
  const { listKind: kind, apiVersion } = resource;
  sendJson(response, 200, { kind, apiVersion, metadata: {}, items });
}

function keyOf({ metadata }: ApiObject): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}
