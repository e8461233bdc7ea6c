/** get, list and watch. */
import type { ServerResponse } from 'node:http';
import type { ApiObject } from '../cluster-client.ts';
import { isObject, type JsonObject, objectOr } from '../json.ts';
import { inVersion } from '../kinds/conversions.ts';
import type { Objects } from '../objects/objects.ts';
import { encodeWatchEvent } from '../protobuf/encode.ts';
import type { ServedResource } from '../resource-registry.ts';
import { type Predicate, parseFieldSelector, parseLabelSelector } from '../selectors.ts';
import { badRequest, expired, type OnFault, statusObject } from '../status.ts';
import type { Storage, StoredEvent } from '../storage/storage.ts';
import { visibleChange, watchCollection } from '../storage/watch.ts';
import { selectorText } from '../tables/cells.ts';
import { type IncludeObject, scaleTable, tableOf, wantsTable } from '../tables/table.ts';
import { type Exchange, sendJson, sendKind } from './exchange.ts';
import { formOf, PROTOBUF } from './media-type.ts';
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

function wantsMetadata(accept: string | undefined): boolean {
  return (accept ?? '').split(',')[0]?.includes('as=PartialObjectMetadata;') === true;
}

function metadataOnly({ metadata }: ApiObject): ApiObject {
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
function integerParameter(query: URLSearchParams, name: string): number {
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

const BOOKMARK_INTERVAL_MS = 30_000;
/** Between half an hour and an hour, so that watchers do not all come back at once (apiserver `min-request-timeout`). */
const MIN_WATCH_SECONDS = 1800;
/** The longest time that a timer can wait. */
const MAX_WATCH_SECONDS = 2_147_483;

interface Stream {
  readonly resource: ServedResource;
  send(type: string, object: unknown): void;
  readonly shows: 'objects' | 'tables' | 'metadata';
}

/** What may wait for a watcher that does not read. A real API server lets a hundred events wait. */
const MAX_WAITING_BYTES = 8 * 1024 * 1024;

/** What a watcher of this Accept header is shown. */
function shownTo(accept: string | undefined): Stream['shows'] {
  if (wantsTable(accept)) return 'tables';
  return wantsMetadata(accept) ? 'metadata' : 'objects';
}

function objectForm(stream: Stream, object: ApiObject, include: IncludeObject): unknown {
  const { resource, shows } = stream;
  if (shows === 'objects') return inVersion(resource, object);
  if (shows === 'metadata') return metadataOnly(object);
  const metadata = { resourceVersion: object.metadata.resourceVersion };
  return tableOf(resource, [object], metadata, include);
}

function bookmark({ resource, shows }: Stream, revision: number, initialEnd: boolean): unknown {
  const annotations = initialEnd ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {};
  const whole = {
    kind: resource.kind,
    apiVersion: resource.apiVersion,
    metadata: { resourceVersion: String(revision), creationTimestamp: null, ...annotations },
  };
  return shows === 'metadata' ? metadataOnly(whole as unknown as ApiObject) : whole;
}

/** How events go out: as lines of JSON, or as frames of protobuf. */
function eventWriter({ request, response }: Exchange, resource: ServedResource): Stream {
  const { accept } = request.headers;
  const shows = shownTo(accept);
  const [apiVersion, kind] =
    shows === 'metadata'
      ? ['meta.k8s.io/v1', 'PartialObjectMetadata']
      : [resource.apiVersion, resource.kind];
  const binary = shows !== 'tables' && formOf(accept, apiVersion, kind) === 'protobuf';
  response.writeHead(200, {
    'Content-Type': binary ? `${PROTOBUF};stream=watch` : 'application/json',
    'Cache-Control': 'no-cache, private',
  });
  return {
    resource,
    shows,
    send: (type, object) => {
      const event = binary
        ? encodeWatchEvent(type, object)
        : `${JSON.stringify({ type, object })}\n`;
      response.write(event);
    },
  };
}

/** The revision to continue from; null means: first everything that exists. */
function startRevision(query: URLSearchParams): number | null {
  const asked = query.get('resourceVersion') ?? '';
  if (query.get('sendInitialEvents') === 'true' || asked === '' || asked === '0') return null;
  const revision = Number(asked);
  if (!/^\d{1,20}$/.test(asked)) {
    throw badRequest(
      `Invalid value: "${asked}": strconv.ParseUint: parsing "${asked}": invalid syntax`,
    );
  }
  return revision;
}

function watchSeconds(query: URLSearchParams): number {
  const asked = integerParameter(query, 'timeoutSeconds');
  if (asked <= 0) return MIN_WATCH_SECONDS * (1 + Math.random());
  return Math.min(asked, MAX_WATCH_SECONDS);
}

/** `GET` of a collection with `watch`: one event after the other, until the client leaves or the time is up. */
export function handleWatch(
  exchange: Exchange,
  { storage, onFault }: ReadDependencies,
  resource: ServedResource,
  path: ResourcePath,
): void {
  const { response, info } = exchange;
  const { query } = info;
  const selects = selectorOf(resource, path, query);
  const from = startRevision(query);
  const include = includeObject(query);
  const seconds = watchSeconds(query);
  const stream = eventWriter(exchange, resource);
  const deliver = (event: StoredEvent): void => {
    const change = visibleChange(event, selects);
    if (change === null) return;
    stream.send(change.type.toUpperCase(), objectForm(stream, change.object, include));
  };
  const missed = from === null ? [] : storage.since(resource.collection, from);
  if (missed === null) {
    stream.send(
      'ERROR',
      statusObject(expired(`too old resource version: ${from} (${storage.revision})`)),
    );
    response.end();
    return;
  }
  if (from === null) {
    for (const object of storage.list(resource.collection, path.namespace).filter(selects)) {
      stream.send('ADDED', objectForm(stream, object, include));
    }
  }
  for (const event of missed) deliver(event);
  const bookmarks = query.get('allowWatchBookmarks') === 'true';
  if (bookmarks && query.get('sendInitialEvents') === 'true') {
    stream.send('BOOKMARK', bookmark(stream, storage.revision, true));
  }
  // Sent at once, so that a client of an empty collection knows that its watch has begun.
  response.flushHeaders();
  followUntilClosed({ response, storage, stream, deliver, bookmarks, seconds, onFault });
}

interface Following {
  readonly response: ServerResponse;
  readonly storage: Storage;
  readonly stream: Stream;
  readonly deliver: (event: StoredEvent) => void;
  readonly bookmarks: boolean;
  readonly seconds: number;
  readonly onFault: OnFault;
}

function followUntilClosed(following: Following): void {
  const { response, storage, stream, deliver, bookmarks, seconds, onFault } = following;
  const { resource } = stream;
  const subscription = watchCollection(storage, resource.collection, (event) => {
    // Its client watches again, from the last event that it has seen.
    if (response.writableLength > MAX_WAITING_BYTES) {
      response.destroy();
      return;
    }
    try {
      deliver(event);
    } catch (cause) {
      // Of one object that cannot be shown, one watch ends, and not the program.
      onFault(cause as Error);
      response.destroy();
    }
  });
  const deadline = setTimeout(() => response.end(), seconds * 1000);
  const beat = setInterval(() => {
    if (bookmarks) stream.send('BOOKMARK', bookmark(stream, storage.revision, false));
  }, BOOKMARK_INTERVAL_MS);
  response.on('close', () => {
    clearTimeout(deadline);
    clearInterval(beat);
    subscription[Symbol.dispose]();
  });
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
