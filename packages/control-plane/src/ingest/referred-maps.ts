/** ConfigMaps that other objects name: each is watched by itself, since a cluster may have many that nobody here reads. */
import { isDeepStrictEqual } from 'node:util';
import type { ConfigMap } from '@aquifer/model/resources';
import type { Logger } from '@aquifer/runtime';
import type { Collection } from '../collections/collection.ts';
import type { Input } from '../collections/nodes.ts';
import { objectKey, type StoredObject } from './cluster-inputs.ts';
import type { KubernetesApi } from './kubernetes-api.ts';
import { type ReflectorSink, reflect } from './reflector.ts';

/** What became of looking a ConfigMap up. */
export type ReferredMap =
  | { readonly kind: 'found'; readonly map: ConfigMap }
  | { readonly kind: 'missing' };

export interface MapName {
  readonly namespace: string;
  readonly name: string;
}

export interface ReferredMapDeps {
  readonly api: Pick<KubernetesApi, 'list' | 'watch'>;
  /** By their keys. */
  readonly wanted: Collection<MapName>;
  /** Gets what was found, or that nothing was. */
  readonly found: Input<ReferredMap>;
  readonly log: Logger;
  readonly onChange: () => void;
}

/** Watches what is wanted until stopped. */
export class ReferredMaps {
  readonly #deps: ReferredMapDeps;
  readonly #watches = new Map<string, AbortController>();
  readonly #ends = new Set<Promise<void>>();

  constructor(deps: ReferredMapDeps) {
    this.#deps = deps;
  }

  /** After a round: what is newly wanted is watched, and what nobody wants any more is forgotten. */
  look(): void {
    const { wanted, found } = this.#deps;
    for (const [key, name] of wanted.entries()) {
      if (!this.#watches.has(key)) this.#watch(key, name);
    }
    for (const [key, abort] of this.#watches) {
      if (wanted.get(key) !== undefined) continue;
      abort.abort();
      this.#watches.delete(key);
      found.set(key, undefined);
    }
  }

  async stop(): Promise<void> {
    for (const abort of this.#watches.values()) abort.abort();
    this.#watches.clear();
    await Promise.all(this.#ends);
  }

  #watch(key: string, name: MapName): void {
    const { api, log } = this.#deps;
    const abort = new AbortController();
    this.#watches.set(key, abort);
    const only = { ReferredConfigMap: name };
    const sink = this.#sinkOf(key, abort.signal);
    const end = reflect('ReferredConfigMap', { api, sink, log, only }, abort.signal).then(() => {
      this.#ends.delete(end);
    });
    this.#ends.add(end);
  }

  #sinkOf(key: string, signal: AbortSignal): ReflectorSink {
    const { found, onChange } = this.#deps;
    const note = (object: StoredObject | undefined): void => {
      if (signal.aborted) return;
      const now: ReferredMap =
        object === undefined ? { kind: 'missing' } : { kind: 'found', map: object as ConfigMap };
      if (isDeepStrictEqual(found.latest(key), now)) return;
      found.set(key, now);
      onChange();
    };
    return {
      replace: (_kind, objects) => note(objects.find(({ metadata }) => keyIn(metadata) === key)),
      change: (_kind, object, isDeleted) => note(isDeleted ? undefined : object),
    };
  }
}

function keyIn({ namespace = '', name = '' }: StoredObject['metadata']): string {
  return objectKey(namespace, name);
}
