/** Watches over the storage: what a selector lets through, in the order of writes. */
import type { ApiObject } from '../cluster-client.ts';
import type { Predicate } from '../selectors.ts';
import type { Storage, StoredEvent } from './storage.ts';

/** An event as a watcher sees it. */
export interface Change {
  readonly type: 'added' | 'modified' | 'deleted';
  readonly object: ApiObject;
}

/**
 * The event as a watcher with this selector sees it: an object that stops matching is deleted to it, one that starts
 * matching is added. Null when it never saw the object.
 */
export function visibleChange(event: StoredEvent, selects: Predicate): Change | null {
  const matches = event.type !== 'deleted' && selects(event.object);
  const matched = event.previous !== null && selects(event.previous);
  if (matches) return { type: matched ? 'modified' : 'added', object: event.object };
  if (!matched) return null;
  // The deletion carries the last state that matched, under the revision of the event.
  const last = event.type === 'deleted' ? event.object : (event.previous ?? event.object);
  const metadata = { ...last.metadata, resourceVersion: String(event.revision) };
  return { type: 'deleted', object: { ...last, metadata } };
}

/** Calls back after each write to the collection, never from within the write itself. */
export function watchCollection(
  storage: Storage,
  collection: string,
  onEvent: (event: StoredEvent) => void,
): Disposable {
  const waiting: StoredEvent[] = [];
  let stopped = false;
  const drain = (): void => {
    for (let event = waiting.shift(); event !== undefined && !stopped; event = waiting.shift()) {
      onEvent(event);
    }
  };
  const subscription = storage.subscribe((event) => {
    if (event.collection !== collection) return;
    waiting.push(event);
    if (waiting.length === 1) queueMicrotask(drain);
  });
  return {
    [Symbol.dispose]() {
      stopped = true;
      subscription[Symbol.dispose]();
    },
  };
}
