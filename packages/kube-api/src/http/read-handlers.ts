/** get and list. */
import type { ApiObject } from '../cluster-client.ts';
import { isObject, type JsonObject, objectOr } from '../json.ts';
import { inVersion } from '../kinds/conversions.ts';
import type { Objects } from '../objects/objects.ts';
import type { ServedResource } from '../resource-registry.ts';
import { type Predicate, parseFieldSelector, parseLabelSelector } from '../selectors.ts';
import { badRequest, type OnFault } from '../status.ts';
import type { Storage } from '../storage/storage.ts';
import { selectorText } from '../tables/cells.ts';
import { type IncludeObject, scaleTable, tableOf, wantsTable } from '../tables/table.ts';
import { type Exchange, sendJson, sendKind } from './exchange.ts';
import type { ResourcePath } from './request-info.ts';

/** What reading needs. */
export interface ReadDependencies {
  readonly storage: Storage;
  readonly objects: Objects;
  /** Told of an event that could not be sent. */
  readonly onFault: OnFault;
}

/** What of each object a Table is to carry. */
export function includeObject(query: URLSearchParams): IncludeObject {
  const asked = query.get('includeObject');
  return asked === 'None' || asked === 'Object' ? asked : 'Metadata';
}

/** One object, as a Table if the client prefers that, or its metadata alone. */
export function sendObject(
  { request, response, info }: Exchange,
  resource: ServedResource,
  object: ApiObject,
  status = 200,
): void {
  const accept = request.headers.accept ?? '';
  if (wantsTable(accept)) {
    const metadata = { resourceVersion: object.metadata.resourceVersion };
    sendJson(response, status, tableOf(resource, [object], metadata, includeObject(info.query)));
  } else {
    const shown = inVersion(resource, object);
    sendKind(response, status, wantsMetadata(accept) ? metadataOnly(shown) : shown);
  }
}

/** Whether an Accept header asks for metadata alone before whole objects. */
export function wantsMetadata(accept: string | undefined): boolean {
  return (accept ?? '').split(',')[0]?.includes('as=PartialObjectMetadata;') === true;
}

/** An object as its metadata alone. */
export function metadataOnly({ metadata }: ApiObject): ApiObject {
  return { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata };
}

/** Namespace, name, labels and fields of a request in one test. Throws 400 for a selector that does not parse. */
export function selectorOf(
  resource: ServedResource,
  path: ResourcePath,
  query: URLSearchParams,
): Predicate {
  const labels = parseLabelSelector(query.get('labelSelector') ?? undefined);
  const fields = parseFieldSelector(
    query.get('fieldSelector') ?? undefined,
    resource.collection,
    resource.selectableFields,
  );
  const { namespace, name } = path;
  return (object) =>
    (namespace === '' || object.metadata.namespace === namespace) &&
    (name === '' || object.metadata.name === name) &&
    labels(object) &&
    fields(object);
}

interface Page {
  readonly items: readonly ApiObject[];
  readonly metadata: JsonObject;
}

function keyOf(object: ApiObject): string {
  return `${object.metadata.namespace ?? ''}/${object.metadata.name}`;
}

/** A whole number of the query, 0 without one. Throws 400. */
export function integerParameter(query: URLSearchParams, name: string): number {
  const text = query.get(name) ?? '';
  if (text === '') return 0;
  if (/^[+-]?\d{1,15}$/.test(text)) return Number(text);
  throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
}

function startAfter(token: string | null): string | null {
  if (token === null || token === '') return null;
  try {
    const decoded: unknown = JSON.parse(Buffer.from(token, 'base64url').toString());
    const { after } = objectOr(decoded);
    if (typeof after === 'string') return after;
  } catch {
    // Said below.
  }
  throw badRequest('continue key is not valid');
}

/** A page of the list. It continues after the last key; objects made meanwhile may appear in later pages. */
function pageOf(all: readonly ApiObject[], query: URLSearchParams, revision: number): Page {
  const limit = integerParameter(query, 'limit');
  const after = startAfter(query.get('continue'));
  const rest = after === null ? all : all.filter((object) => keyOf(object) > after);
  const items = limit > 0 ? rest.slice(0, limit) : rest;
  const last = items.at(-1);
  const remaining = rest.length - items.length;
  const token =
    remaining > 0 && last !== undefined
      ? Buffer.from(JSON.stringify({ after: keyOf(last) })).toString('base64url')
      : undefined;
  return {
    items,
    metadata: {
      resourceVersion: String(revision),
      ...(token === undefined ? {} : { continue: token, remainingItemCount: remaining }),
    },
  };
}

/** Items of a built-in list carry neither kind nor version, as Go's typed lists do not. */
function listItem(resource: ServedResource, object: ApiObject): unknown {
  const shown = inVersion(resource, object);
  if (resource.custom) return shown;
  const { kind: _kind, apiVersion: _version, ...rest } = shown;
  return rest;
}

/** `GET` of a collection, as a list or a Table. */
export function handleList(
  exchange: Exchange,
  { storage }: ReadDependencies,
  resource: ServedResource,
  path: ResourcePath,
): void {
  const { request, response, info } = exchange;
  const selects = selectorOf(resource, path, info.query);
  const all = storage.list(resource.collection, path.namespace).filter(selects);
  const { items, metadata } = pageOf(all, info.query, storage.revision);
  const accept = request.headers.accept ?? '';
  if (wantsTable(accept)) {
    sendJson(response, 200, tableOf(resource, items, metadata, includeObject(info.query)));
  } else if (
    accept.includes('as=PartialObjectMetadataList;') &&
    !accept.startsWith('application/json,')
  ) {
    const partial = items.map(({ metadata: own }) => ({ metadata: own }));
    const kind = 'PartialObjectMetadataList';
    sendKind(response, 200, { kind, apiVersion: 'meta.k8s.io/v1', metadata, items: partial });
  } else {
    const { listKind: kind, apiVersion } = resource;
    sendKind(response, 200, {
      kind,
      apiVersion,
      metadata,
      items: items.map((object) => listItem(resource, object)),
    });
  }
}

/** The `scale` of an object, as a Table if the client prefers that. */
export function sendScale(
  { request, response, info }: Exchange,
  resource: ServedResource,
  object: ApiObject,
): void {
  const scale = scaleOf(resource, object);
  const table = wantsTable(request.headers.accept);
  if (table) {
    sendJson(response, 200, scaleTable(scale as unknown as ApiObject, includeObject(info.query)));
  } else sendKind(response, 200, scale);
}

function scaleSelector(selector: JsonObject): string | undefined {
  return Object.keys(selector).length === 0 ? undefined : selectorText(selector);
}

/** The `scale` subresource of an object (autoscaling/v1). */
export function scaleOf(resource: ServedResource, object: ApiObject): JsonObject {
  const { scale } = resource;
  const at = (path: readonly string[] | null | undefined): unknown =>
    (path ?? []).reduce<unknown>((value, key) => objectOr(value)[key], object);
  const selector = scale?.selector === null ? undefined : at(scale?.selector);
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: { replicas: at(scale?.specReplicas) ?? 0 },
    status: {
      replicas: at(scale?.statusReplicas) ?? 0,
      selector: isObject(selector) ? scaleSelector(selector) : selector,
    },
  };
}
