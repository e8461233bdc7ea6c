/** Test fixture: how recordings are derived, and how a series of changes is made of their objects. */
import type { Collection } from '../collections/collection.ts';
import { keyOf, type StoredObject } from '../ingest/cluster-inputs.ts';
import { WATCHED_KINDS, type WatchedKind } from '../ingest/kinds.ts';
import { project } from '../ingest/project.ts';
import { Derivation } from './derivation.ts';
import type { MeshSettings } from './mesh.ts';
import type { DerivationSettings } from './mesh-collections.ts';
import { USUAL_START } from './proxy-start.ts';
import { USUAL_TELEMETRY } from './telemetry/mesh-telemetry.ts';

/** Those of the control plane that was recorded. */
export const SETTINGS: DerivationSettings = {
  clusterId: 'Kubernetes',
  clusterDomain: 'cluster.local',
  trustDomain: 'cluster.local',
  systemNamespace: 'istio-system',
  excludeNamespaces: ['kube-system'],
};

/** What holds in its mesh. */
export const MESH: MeshSettings = {
  clusterId: 'Kubernetes',
  clusterDomain: 'cluster.local',
  trustDomain: 'cluster.local',
  rootNamespace: 'istio-system',
  network: '',
  extensionProviders: [],
  telemetry: USUAL_TELEMETRY,
  proxies: USUAL_START,
};

/** The parts of any object that tests look at. */
export interface TestObject {
  /** Default: whichever is watched. */
  readonly apiVersion?: string;
  readonly kind: string;
  readonly metadata: StoredObject['metadata'] & { readonly name: string };
  readonly spec?: unknown;
  readonly status?: unknown;
  /** Of a ConfigMap. */
  readonly data?: unknown;
}

let lastVersion = 0;

/** A cluster that changes object by object, as a test says. Throws whatever a derivation throws. */
export class TestCluster {
  readonly derivation: Derivation;

  /** Kinds that are not watched are left out. */
  constructor(
    objects: readonly { readonly kind: string }[] = [],
    settings: DerivationSettings = SETTINGS,
  ) {
    this.derivation = new Derivation(settings, (collection, key, error) => {
      throw new Error(`${collection} ${key}: ${error}`, { cause: error });
    });
    this.put(...(objects as readonly TestObject[]));
  }

  /** One round with these objects in new versions. */
  put(...objects: readonly TestObject[]): void {
    for (const object of objects) {
      const kind = watchedKindOf(object);
      if (kind === null) continue;
      lastVersion += 1;
      const metadata = { ...object.metadata, resourceVersion: String(lastVersion) };
      this.derivation.cluster
        .anyOf(kind)
        .set(keyOf(object), project(kind, { ...object, metadata }));
    }
    this.derivation.settle();
  }

  /** Removes what is there and adds what is not, in one round. */
  toggle(...objects: readonly TestObject[]): void {
    for (const object of objects) {
      const kind = watchedKindOf(object);
      if (kind === null) continue;
      const input = this.derivation.cluster.anyOf(kind);
      if (input.get(keyOf(object)) === undefined) this.put(object);
      else {
        input.set(keyOf(object), undefined);
        this.derivation.settle();
      }
    }
  }

  /** Everything that is there now, in no particular order. */
  objects(): TestObject[] {
    const kinds = Object.keys(WATCHED_KINDS) as WatchedKind[];
    return kinds.flatMap((kind) => valuesOf(this.derivation.cluster.anyOf(kind)) as TestObject[]);
  }
}

/** Null for what is not watched. Two groups have a kind `Gateway`. */
export function watchedKindOf({ kind, apiVersion }: TestObject): WatchedKind | null {
  const [group] = apiVersion?.split('/') ?? [];
  for (const [name, path] of Object.entries(WATCHED_KINDS)) {
    const isOfGroup = group === undefined || group === path.apiVersion.split('/')[0];
    if ((name === kind || path.kind === kind) && isOfGroup) return name as WatchedKind;
  }
  return null;
}

export function valuesOf<T>(collection: Collection<T>): T[] {
  return Array.from(collection.entries(), ([, value]) => value);
}

/** Recordings were made in clusters of their own and share names: the first object of a name stands for all. */
export function firstOfEachName(objects: readonly TestObject[]): TestObject[] {
  const byKey = new Map<string, TestObject>();
  for (const object of objects) {
    const { kind, metadata } = object;
    const key = `${kind}/${metadata.namespace}/${metadata.name}`;
    if (!byKey.has(key)) byKey.set(key, object);
  }
  return [...byKey.values()];
}
