/** Carries changes of the cluster into what is served, round by round, and tells who wants to know. */
import type { Derivation } from '../derive/derivation.ts';
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
  #current: Published | null = null;

  constructor(derivation: Derivation) {
    this.#derivation = derivation;
  }

  /** Null until the first round: nothing partial is ever served. */
  get current(): Published | null {
    return this.#current;
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
