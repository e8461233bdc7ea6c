/**
 * Objects and their history in SQLite. One counter, the revision, orders every write of the cluster; an object's
 * resourceVersion is the revision of its last write.
 *
 * Always: the memory image and the database agree after each call; stored objects are never modified in place.
 * Never: an event is delivered before its write is committed.
 */
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { ApiStatusError } from '../api-status-error.ts';
import type { ApiObject } from '../cluster-client.ts';

/** A write that was committed. */
export interface StoredEvent {
  readonly revision: number;
  /** `group/plural`. */
  readonly collection: string;
  readonly type: 'added' | 'modified' | 'deleted';
  readonly object: ApiObject;
  /** What the object was before; null for `added`. A selector that no longer matches becomes a deletion. */
  readonly previous: ApiObject | null;
}

/** Called within the write: it must not write itself. */
export type StorageListener = (event: StoredEvent) => void;

/** How many events are kept for watches that continue from an older revision, of how many bytes together. */
interface HistoryLimit {
  readonly events: number;
  readonly bytes: number;
}

const DEFAULT_HISTORY: HistoryLimit = { events: 5000, bytes: 64 * 1024 * 1024 };

/** Of one object (etcd's limit on a request). */
const MAX_OBJECT_BYTES = 1.5 * 1024 * 1024;

/** An object as the database has it. Throws what kube-apiserver answers when etcd refuses it. */
function bodyOf(object: ApiObject): string {
  const body = JSON.stringify(object);
  if (body.length <= MAX_OBJECT_BYTES) return body;
  throw new ApiStatusError(500, '', 'etcdserver: request is too large');
}

function keyOf(object: ApiObject): string {
  return `${object.metadata.namespace ?? ''}/${object.metadata.name}`;
}

/** All calls are synchronous; one process owns the file. */
export class Storage {
  readonly #database: DatabaseSync;
  readonly #collections = new Map<string, Map<string, ApiObject>>();
  readonly #listeners = new Set<StorageListener>();
  readonly #putObject: StatementSync;
  readonly #removeObject: StatementSync;
  readonly #historyLimit: HistoryLimit;
  #history: { readonly event: StoredEvent; readonly bytes: number }[] = [];
  #historyBytes = 0;
  #revision = 0;
  #compacted = 0;

  /** @param path of the database file, or `:memory:`. */
  constructor(path: string, historyLimit: HistoryLimit = DEFAULT_HISTORY) {
    this.#historyLimit = historyLimit;
    this.#database = new DatabaseSync(path);
    this.#database.exec(`
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = NORMAL;
      CREATE TABLE IF NOT EXISTS objects (
        collection TEXT NOT NULL, key TEXT NOT NULL, revision INTEGER NOT NULL, body TEXT NOT NULL,
        PRIMARY KEY (collection, key)) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS revision (only INTEGER PRIMARY KEY CHECK (only = 1), value INTEGER NOT NULL);
      INSERT OR IGNORE INTO revision VALUES (1, 0);
    `);
    this.#putObject = this.#database.prepare(
      'INSERT OR REPLACE INTO objects (collection, key, revision, body) VALUES (?, ?, ?, ?)',
    );
    this.#removeObject = this.#database.prepare(
      'DELETE FROM objects WHERE collection = ? AND key = ?',
    );
    this.#load();
  }

  #load(): void {
    const row = this.#database.prepare('SELECT value FROM revision').get();
    this.#revision = Number(row?.value ?? 0);
    // The history lives in memory: after a restart, older watches are told to list again.
    this.#compacted = this.#revision;
    for (const { collection, key, body } of this.#database
      .prepare('SELECT collection, key, body FROM objects ORDER BY collection, key')
      .iterate()) {
      this.#collection(String(collection)).set(String(key), JSON.parse(String(body)) as ApiObject);
    }
  }

  #collection(name: string): Map<string, ApiObject> {
    let found = this.#collections.get(name);
    if (found === undefined) {
      found = new Map();
      this.#collections.set(name, found);
    }
    return found;
  }

  /** The revision of the latest write. */
  get revision(): number {
    return this.#revision;
  }

  get(collection: string, namespace: string, name: string): ApiObject | null {
    return this.#collections.get(collection)?.get(`${namespace}/${name}`) ?? null;
  }

  /** In order of namespace and name, as etcd lists its keys. An empty namespace lists all. */
  list(collection: string, namespace = ''): ApiObject[] {
    const found = [...(this.#collections.get(collection)?.entries() ?? [])];
    const inNamespace =
      namespace === '' ? found : found.filter(([key]) => key.startsWith(`${namespace}/`));
    return inNamespace.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, object]) => object);
  }

  /** Names of the collections that hold at least one object. */
  collections(): string[] {
    return [...this.#collections].filter(([, objects]) => objects.size > 0).map(([name]) => name);
  }

  /** Stores the object under the next revision and returns it with its resourceVersion. */
  put(collection: string, object: ApiObject): ApiObject {
    const objects = this.#collection(collection);
    const key = keyOf(object);
    const previous = objects.get(key) ?? null;
    const revision = this.#revision + 1;
    const stored: ApiObject = {
      ...object,
      metadata: { ...object.metadata, resourceVersion: String(revision) },
    };
    const body = bodyOf(stored);
    this.#commit(revision, () => {
      this.#putObject.run(collection, key, revision, body);
    });
    objects.set(key, stored);
    const type = previous === null ? 'added' : 'modified';
    this.#publish({ revision, collection, type, object: stored, previous }, body.length);
    return stored;
  }

  /** Removes the object; the deletion event carries the given last state under a revision of its own. */
  remove(collection: string, object: ApiObject): ApiObject {
    const objects = this.#collection(collection);
    const key = keyOf(object);
    const previous = objects.get(key) ?? null;
    const revision = this.#revision + 1;
    const last: ApiObject = {
      ...object,
      metadata: { ...object.metadata, resourceVersion: String(revision) },
    };
    this.#commit(revision, () => {
      this.#removeObject.run(collection, key);
    });
    objects.delete(key);
    // Nearly all of it is shared with the state before.
    this.#publish({ revision, collection, type: 'deleted', object: last, previous }, 0);
    return last;
  }

  #commit(revision: number, write: () => void): void {
    this.#database.exec('BEGIN');
    try {
      write();
      this.#database.exec(`UPDATE revision SET value = ${revision}`);
      this.#database.exec('COMMIT');
    } catch (cause) {
      this.#database.exec('ROLLBACK');
      throw cause;
    }
    this.#revision = revision;
  }

  #publish(event: StoredEvent, bytes: number): void {
    this.#history.push({ event, bytes });
    this.#historyBytes += bytes;
    const { events, bytes: most } = this.#historyLimit;
    if (this.#history.length > events * 2 || this.#historyBytes > most * 2) this.#compact();
    for (const listener of this.#listeners) listener(event);
  }

  /** Drops the oldest events until there are no more than the limit. */
  #compact(): void {
    let dropped = Math.max(0, this.#history.length - this.#historyLimit.events);
    for (const { bytes } of this.#history.slice(0, dropped)) this.#historyBytes -= bytes;
    while (this.#historyBytes > this.#historyLimit.bytes) {
      this.#historyBytes -= this.#history[dropped]?.bytes ?? 0;
      dropped++;
    }
    this.#compacted = this.#history[dropped - 1]?.event.revision ?? this.#compacted;
    this.#history = this.#history.slice(dropped);
  }

  /** Events of a collection after a revision; null when that revision's history is gone (410). */
  since(collection: string, revision: number): StoredEvent[] | null {
    if (revision < this.#compacted) return null;
    return this.#history
      .map(({ event }) => event)
      .filter((event) => event.revision > revision && event.collection === collection);
  }

  /** Calls the listener after every write, in order, until disposed. */
  subscribe(listener: StorageListener): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
  }

  close(): void {
    this.#listeners.clear();
    this.#database.close();
  }
}
