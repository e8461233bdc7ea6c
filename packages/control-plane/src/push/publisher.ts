/** Carries changes of the cluster into what is served, round by round, and tells who wants to know. */
import type { Derivation } from '../derive/derivation.ts';
import type { ProxyNode } from '../derive/l7/proxy-node.ts';
import type { ClusterInputs } from '../ingest/cluster-inputs.ts';
import { ServedResources } from './served-resources.ts';

/** What is in force. It changes from round to round, and never within one. */
export interface Published {
  readonly cluster: ClusterInputs;
  readonly mesh: Derivation['mesh'];
  readonly served: ServedResources;
}

export class Publisher {
  readonly #derivation: Derivation;
  readonly #served = new ServedResources();
  readonly #listeners = new Set<() => void>();
  /** How many streams there are of each key, of proxies whose configuration is their own. */
  readonly #streams = new Map<string, number>();
  #demand: () => void = () => undefined;
  #current: Published | null = null;

  constructor(derivation: Derivation) {
    this.#derivation = derivation;
  }

  /** Null until the first round: nothing partial is ever served. */
  get current(): Published | null {
    return this.#current;
  }

  /** What a proxy is served is derived from now on, under a key of its own; returns the function that ends that. */
  connect(key: string, node: ProxyNode): () => void {
    this.#derivation.proxies.set(key, node);
    this.#streams.set(key, (this.#streams.get(key) ?? 0) + 1);
    this.#demand();
    return () => {
      const left = (this.#streams.get(key) ?? 1) - 1;
      this.#streams.set(key, left);
      if (left > 0) return;
      this.#streams.delete(key);
      this.#derivation.proxies.set(key, undefined);
      this.#demand();
    };
  }

  /** `listener` is told that a round is wanted. */
  whenDemanded(listener: () => void): void {
    this.#demand = listener;
  }

  /** One round. */
  publish(): void {
    const { cluster, mesh } = this.#derivation;
    this.#derivation.settle();
    this.#served.follow(this.#derivation);
    this.#current ??= { cluster, mesh, served: this.#served };
    for (const listener of this.#listeners) listener();
  }

  /** Returns the function that ends the subscription. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
