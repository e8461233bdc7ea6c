/** watch: what is there, then every change, until the client leaves, is too slow, or the time is up. */
import type { ServerResponse } from 'node:http';
import { setImmediate } from 'node:timers/promises';
import type { ApiObject } from '../cluster-client.ts';
import { inVersion } from '../kinds/conversions.ts';
import { encodeWatchEvent } from '../protobuf/encode.ts';
import type { ServedResource } from '../resource-registry.ts';
import { badRequest, expired, type OnFault, statusObject } from '../status.ts';
import type { Storage, StoredEvent } from '../storage/storage.ts';
import { visibleChange, watchCollection } from '../storage/watch.ts';
import { type IncludeObject, tableOf, wantsTable } from '../tables/table.ts';
import type { Exchange } from './exchange.ts';
import { formOf, PROTOBUF } from './media-type.ts';
import {
  includeObject,
  integerParameter,
  metadataOnly,
  type ReadDependencies,
  selectorOf,
  wantsMetadata,
} from './read-handlers.ts';
import type { ResourcePath } from './request-info.ts';

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

/** Events that may wait behind a long list. */
const MAX_EARLY = 10_000;

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
      // Its time is up, and the client has not read all yet.
      if (response.writableEnded || response.destroyed) return;
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
  const existing =
    from === null ? storage.list(resource.collection, path.namespace).filter(selects) : [];
  const bookmarks = query.get('allowWatchBookmarks') === 'true';
  const marksStart = bookmarks && query.get('sendInitialEvents') === 'true';
  const { revision } = storage;
  const first = [
    ...existing.map((object) => () => {
      stream.send('ADDED', objectForm(stream, object, include));
    }),
    ...missed.map((event) => () => deliver(event)),
    ...(marksStart ? [() => stream.send('BOOKMARK', bookmark(stream, revision, true))] : []),
  ];
  // Sent at once, so that a client of an empty collection knows that its watch has begun.
  response.flushHeaders();
  followUntilClosed({ response, storage, stream, first, deliver, bookmarks, seconds, onFault });
}

interface Following {
  readonly response: ServerResponse;
  readonly storage: Storage;
  readonly stream: Stream;
  /** What comes before events. */
  readonly first: readonly (() => void)[];
  readonly deliver: (event: StoredEvent) => void;
  readonly bookmarks: boolean;
  readonly seconds: number;
  readonly onFault: OnFault;
}

function attempt(action: () => void, onError: (cause: unknown) => void): void {
  try {
    action();
  } catch (cause) {
    onError(cause);
  }
}

/** So many at a time: a thousand watches that begin together leave room for other requests. */
const BATCH = 25;
/** Before a reader has taken so much, it is sent no more of what was there before. */
const PACE_BYTES = 512 * 1024;

/** Sends one after the other, as fast as the client reads. */
async function sendPaced(response: ServerResponse, sends: readonly (() => void)[]): Promise<void> {
  response.cork();
  for (const [at, send] of sends.entries()) {
    const isFull = response.writableLength > PACE_BYTES;
    if (isFull || (at + 1) % BATCH === 0) {
      response.uncork();
      await (isFull ? roomIn(response) : setImmediate());
      response.cork();
    }
    if (response.writableEnded || response.destroyed) return;
    send();
  }
  response.uncork();
}

function roomIn(response: ServerResponse): Promise<void> {
  if (response.destroyed || response.writableEnded) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done).off('close', done);
      resolve();
    };
    response.on('drain', done).on('close', done);
  });
}

function followUntilClosed(following: Following): void {
  const { response, storage, stream, first, deliver, bookmarks, seconds, onFault } = following;
  const { resource } = stream;
  const fail = (cause: unknown): void => {
    // Of one object that cannot be shown, one watch ends, and not the program.
    onFault(cause as Error);
    response.destroy();
  };
  /** Events that wait for what comes before them; null once that was sent. */
  let early: StoredEvent[] | null = [];
  const subscription = watchCollection(storage, resource.collection, (event) => {
    // Its client watches again, from the last event that it has seen.
    const isSlow = (early?.length ?? 0) > MAX_EARLY || response.writableLength > MAX_WAITING_BYTES;
    if (isSlow) response.destroy();
    else if (early !== null) early.push(event);
    else attempt(() => deliver(event), fail);
  });
  sendPaced(response, first).then(() => {
    for (const event of early ?? []) attempt(() => deliver(event), fail);
    early = null;
  }, fail);
  const deadline = setTimeout(() => response.end(), seconds * 1000);
  const beat = setInterval(() => {
    if (bookmarks && early === null)
      stream.send('BOOKMARK', bookmark(stream, storage.revision, false));
  }, BOOKMARK_INTERVAL_MS);
  response.on('close', () => {
    clearTimeout(deadline);
    clearInterval(beat);
    subscription[Symbol.dispose]();
  });
}
