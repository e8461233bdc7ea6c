/**
 * Keeps one kind up to date: list, then watch from there, for ever.
 *
 * Always: what was learned stays until the API proves that it is over. An answer of 404 proves nothing: only that the
 * kind's CustomResourceDefinition does not exist, or lacks our version, says that there are no objects of it.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '@aquifer/runtime';
import type { StoredObject } from './cluster-inputs.ts';
import { collectionPath, definitionPath, WATCHED_KINDS, type WatchedKind } from './kinds.ts';
import { type KubernetesApi, KubernetesApiError } from './kubernetes-api.ts';

/** Where a reflector puts what it learns. */
export interface ReflectorSink {
  /** The complete content of the kind; what is not among it is gone. */
  replace(kind: WatchedKind, objects: readonly StoredObject[]): void;
  change(kind: WatchedKind, object: StoredObject, isDeleted: boolean): void;
}

export interface ReflectorDeps {
  readonly api: Pick<KubernetesApi, 'list' | 'watch'>;
  readonly sink: ReflectorSink;
  readonly log: Logger;
  /** Kinds of which only one object is read, or only those of one namespace. */
  readonly only: Readonly<Partial<Record<WatchedKind, OnlyObject>>>;
}

interface OnlyObject {
  readonly namespace: string;
  readonly name?: string;
}

interface ListBody {
  readonly kind?: string;
  readonly metadata: { readonly resourceVersion?: string; readonly continue?: string };
  /** Null is how Go may write an empty list. */
  readonly items?: readonly StoredObject[] | null;
}

/** Where a reflector stands: the version to watch from, or null before a list. */
interface Position {
  version: string | null;
  /** Whether an event has come since the last pause. */
  hasMoved: boolean;
}

const PAGE_SIZE = 1000;
const BACKOFF_MS = { first: 200, last: 30_000 };
/** A kind whose CRD is not installed is asked for again this often. */
const ABSENT_RETRY_MS = 2000;
/** Ends of watches in quick succession are no reason to hammer the server. */
const REWATCH_PAUSE_MS = 50;
/** A watch that lasted so long, or brought something, was a good one: the next pause is short again. */
const GOOD_WATCH_MS = 5000;

/** Runs until aborted; never throws. */
export async function reflect(
  kind: WatchedKind,
  deps: ReflectorDeps,
  signal: AbortSignal,
): Promise<void> {
  const position: Position = { version: null, hasMoved: false };
  const pauses = new Pauses();
  let isAbsent = false;
  while (!signal.aborted) {
    const startedAtMs = performance.now();
    position.hasMoved = false;
    const error = await listAndWatch(kind, position, deps, signal);
    if (signal.aborted) return;
    const wasAbsent = isAbsent;
    isAbsent = isNotFound(error) && (await isProvenAbsent(kind, deps));
    const isGood = position.hasMoved || performance.now() - startedAtMs >= GOOD_WATCH_MS;
    if (isAbsent) {
      if (!wasAbsent) deps.log.warn('kind is not installed: it is not read', { kind });
      deps.sink.replace(kind, []);
    }
    const pauseMs = isAbsent ? ABSENT_RETRY_MS : pauses.next(isGood, error === null);
    if (error !== null && !isAbsent) {
      deps.log.warn('watch failed', { kind, error: error.message, retryMs: pauseMs });
    }
    await delay(pauseMs, undefined, { signal }).catch(() => undefined);
  }
}

/** How long to wait after a watch: longer each time, until one was good. */
class Pauses {
  #nextMs = BACKOFF_MS.first;

  next(isGood: boolean, hasEndedOrdinarily: boolean): number {
    if (isGood) this.#nextMs = BACKOFF_MS.first;
    if (isGood && hasEndedOrdinarily) return REWATCH_PAUSE_MS;
    const pauseMs = this.#nextMs;
    this.#nextMs = Math.min(2 * pauseMs, BACKOFF_MS.last);
    return pauseMs;
  }
}

/** Resolves when the watch has ended: to null if in an ordinary way, else to what was wrong. */
async function listAndWatch(
  kind: WatchedKind,
  position: Position,
  deps: ReflectorDeps,
  signal: AbortSignal,
): Promise<Error | null> {
  try {
    position.version ??= await listAll(kind, deps);
    await watchFrom(kind, position, deps, signal);
    return null;
  } catch (error) {
    if (isLost(error)) position.version = null;
    return error as Error;
  }
}

/** Refusals that say nothing about where the watch was to begin: who asks, how often, and whether anybody is there. */
const UNRELATED = new Set([401, 403, 408, 429, 500, 502, 503]);

/**
 * Gone, answered by something that does not know the kind, or a version that this server has not got, as after a restore
 * from a backup: only a list can tell what is there now.
 */
function isLost(error: unknown): boolean {
  return error instanceof KubernetesApiError && !UNRELATED.has(error.status);
}

async function listAll(kind: WatchedKind, { api, sink, only }: ReflectorDeps): Promise<string> {
  const { apiVersion, kind: own = kind } = WATCHED_KINDS[kind];
  const path = collectionPath(WATCHED_KINDS[kind], only[kind]?.namespace);
  const objects: StoredObject[] = [];
  let token: string | undefined;
  let version = '';
  do {
    const query = {
      ...selectorOf(kind, only),
      limit: PAGE_SIZE,
      ...(token && { continue: token }),
    };
    const { kind: answered, metadata, items } = await api.list<ListBody>(path, query);
    if (answered?.endsWith('List') !== true) throw new Error(`a list was answered by ${answered}`);
    // The API leaves both out of the items of a list.
    for (const item of items ?? [])
      objects.push({ ...item, apiVersion, kind: own } as StoredObject);
    version = metadata.resourceVersion ?? version;
    token = metadata.continue;
  } while (token);
  sink.replace(kind, objects);
  return version;
}

/** One watch, to its end. An `ERROR` in it is thrown as the answer that it stands for. */
async function watchFrom(
  kind: WatchedKind,
  position: Position,
  { api, sink, only }: ReflectorDeps,
  signal: AbortSignal,
): Promise<void> {
  let failure: KubernetesApiError | null = null;
  const query = {
    ...selectorOf(kind, only),
    resourceVersion: position.version ?? '',
    allowWatchBookmarks: true,
  };
  const listener = (type: string, object: unknown): void => {
    if (failure !== null) return;
    if (type === 'ERROR') {
      const { code = 500, reason = '', message = 'watch failed' } = object as StatusBody;
      failure = new KubernetesApiError(code, reason, message);
      return;
    }
    const stored = object as StoredObject;
    position.version =
      (stored as Partial<StoredObject>).metadata?.resourceVersion ?? position.version;
    position.hasMoved = true;
    if (type !== 'BOOKMARK') sink.change(kind, stored, type === 'DELETED');
  };
  const path = collectionPath(WATCHED_KINDS[kind], only[kind]?.namespace);
  await api.watch(path, query, listener, signal);
  if (failure !== null) throw failure;
}

interface StatusBody {
  readonly code?: number;
  readonly reason?: string;
  readonly message?: string;
}

function isNotFound(error: Error | null): boolean {
  return error instanceof KubernetesApiError && error.status === 404;
}

interface DefinitionBody {
  readonly spec?: {
    readonly versions?: readonly { readonly name: string; readonly served: boolean }[];
  };
}

/**
 * Whether the API itself says, by name, that the kind's definition does not exist, or exists without our version (CRDs
 * that are older than we are). Built-in kinds always do.
 */
async function isProvenAbsent(kind: WatchedKind, { api, log }: ReflectorDeps): Promise<boolean> {
  const definition = definitionPath(WATCHED_KINDS[kind]);
  if (definition === null) return false;
  try {
    const { spec } = await api.list<DefinitionBody>(definition);
    const version = WATCHED_KINDS[kind].apiVersion.split('/')[1];
    const { versions = [] } = spec ?? {};
    return versions.length > 0 && !versions.some(({ name, served }) => served && name === version);
  } catch (error) {
    if (error instanceof KubernetesApiError && error.status === 404) {
      return error.reason === 'NotFound' && definition.endsWith(`/${error.objectName}`);
    }
    log.warn('definition cannot be read', { kind, error: (error as Error).message });
    return false;
  }
}

function selectorOf(
  kind: WatchedKind,
  only: ReflectorDeps['only'],
): Readonly<Record<string, string>> {
  const { labelSelector, fieldSelector } = WATCHED_KINDS[kind];
  const object = only[kind];
  return {
    ...(labelSelector !== undefined && { labelSelector }),
    ...(fieldSelector !== undefined && { fieldSelector }),
    ...(object?.name !== undefined && { fieldSelector: `metadata.name=${object.name}` }),
  };
}
