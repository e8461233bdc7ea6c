/**
 * Objects and their history in SQLite. One counter, the revision, orders every write of the cluster; an object's
 * resourceVersion is the revision of its last write.
 *
 * Always: the memory image and the database agree after each call; stored objects are never modified in place.
 * Never: an event is delivered before its write is committed.
 */
import { DatabaseSync, type StatementSync } from 'node:sqlite';
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

/** Events kept for watches that continue from an older revision. */
const DEFAULT_HISTORY = 5000;

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
  readonly #historyLimit: number;
  #history: StoredEvent[] = [];
  #revision = 0;
  #compacted = 0;

  /** @param path of the database file, or `:memory:`. */
  constructor(path: string, historyLimit: number = DEFAULT_HISTORY) {
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
    this.#commit(revision, () => {
      this.#putObject.run(collection, key, revision, JSON.stringify(stored));
    });
    objects.set(key, stored);
    this.#publish({
      revision,
      collection,
      type: previous === null ? 'added' : 'modified',
      object: stored,
      previous,
    });
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
    this.#publish({ revision, collection, type: 'deleted', object: last, previous });
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

  #publish(event: StoredEvent): void {
    this.#history.push(event);
    if (this.#history.length > this.#historyLimit * 2) {
      const dropped = this.#history.length - this.#historyLimit;
      this.#compacted = this.#history[dropped - 1]?.revision ?? this.#compacted;
      this.#history = this.#history.slice(dropped);
    }
    for (const listener of this.#listeners) listener(event);
  }

  /** Events of a collection after a revision; null when that revision's history is gone (410). */
  since(collection: string, revision: number): StoredEvent[] | null {
    if (revision < this.#compacted) return null;
    return this.#history.filter(
      (event) => event.revision > revision && event.collection === collection,
    );
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
