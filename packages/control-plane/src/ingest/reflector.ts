/** Keeps one kind up to date: list, then watch from there, for ever. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '@aquifer/runtime';
import type { StoredObject } from './collection.ts';
import { collectionPath, WATCHED_KINDS, type WatchedKind } from './kinds.ts';
import { type KubernetesApi, KubernetesApiError } from './kubernetes-api.ts';

/** Where a reflector puts what it learns. */
export interface ReflectorSink {
  /** The complete content of the kind; what is not among it is gone. */
  replace(kind: WatchedKind, objects: readonly StoredObject[]): void;
  change(kind: WatchedKind, object: StoredObject, isDeleted: boolean): void;
}

interface ListBody {
  readonly metadata: { readonly resourceVersion?: string; readonly continue?: string };
  readonly items?: readonly StoredObject[];
}

const PAGE_SIZE = 1000;
const BACKOFF_MS = { first: 200, last: 30_000 };
/** A kind whose CRD is not installed is asked for again this often. */
const ABSENT_RETRY_MS = 2000;
/** Ends of watches in quick succession are no reason to hammer the server. */
const REWATCH_PAUSE_MS = 50;

/** Runs until aborted; never throws. What was learned stays while the API is away. */
export async function reflect(
  kind: WatchedKind,
  deps: { readonly api: KubernetesApi; readonly sink: ReflectorSink; readonly log: Logger },
  signal: AbortSignal,
): Promise<void> {
  let backoffMs = BACKOFF_MS.first;
  while (!signal.aborted) {
    try {
      const version = await listAll(kind, deps);
      backoffMs = BACKOFF_MS.first;
      await watchFrom(kind, version, deps, signal);
    } catch (error) {
      if (signal.aborted) return;
      const isAbsent = error instanceof KubernetesApiError && error.status === 404;
      if (isAbsent) deps.sink.replace(kind, []);
      else
        deps.log.warn('watch failed', {
          kind,
          error: (error as Error).message,
          retryMs: backoffMs,
        });
      await delay(isAbsent ? ABSENT_RETRY_MS : backoffMs, undefined, { signal }).catch(
        () => undefined,
      );
      if (!isAbsent) backoffMs = Math.min(2 * backoffMs, BACKOFF_MS.last);
    }
  }
}

async function listAll(
  kind: WatchedKind,
  { api, sink }: { readonly api: KubernetesApi; readonly sink: ReflectorSink },
): Promise<string> {
  const path = collectionPath(WATCHED_KINDS[kind]);
  const { apiVersion } = WATCHED_KINDS[kind];
  const objects: StoredObject[] = [];
  let token: string | undefined;
  let version = '';
  do {
    const query = { ...selectorOf(kind), limit: PAGE_SIZE, ...(token && { continue: token }) };
    const { metadata, items = [] } = await api.list<ListBody>(path, query);
    // The API leaves both out of the items of a list.
    for (const item of items) objects.push(Object.assign(item, { apiVersion, kind }));
    version = metadata.resourceVersion ?? version;
    token = metadata.continue;
  } while (token);
  sink.replace(kind, objects);
  return version;
}

/** Returns when the server has forgotten the version (410): the caller lists again. */
async function watchFrom(
  kind: WatchedKind,
  from: string,
  { api, sink }: { readonly api: KubernetesApi; readonly sink: ReflectorSink },
  signal: AbortSignal,
): Promise<void> {
  let resourceVersion = from;
  let expired = false;
  while (!signal.aborted && !expired) {
    const query = { ...selectorOf(kind), resourceVersion, allowWatchBookmarks: true };
    const listener = (type: string, object: unknown): void => {
      if (type === 'ERROR') expired = true;
      if (type === 'ERROR' || expired) return;
      const stored = object as StoredObject & { metadata: { resourceVersion?: string } };
      resourceVersion = stored.metadata.resourceVersion ?? resourceVersion;
      if (type !== 'BOOKMARK') sink.change(kind, stored, type === 'DELETED');
    };
    try {
      await api.watch(collectionPath(WATCHED_KINDS[kind]), query, listener, signal);
    } catch (error) {
      if (!(error instanceof KubernetesApiError) || error.status !== 410) throw error;
      expired = true;
    }
    if (!expired) await delay(REWATCH_PAUSE_MS, undefined, { signal }).catch(() => undefined);
  }
}

function selectorOf(kind: WatchedKind): Readonly<Record<string, string>> {
  const { labelSelector } = WATCHED_KINDS[kind];
  return labelSelector === undefined ? {} : { labelSelector };
}
