import { setTimeout as delay } from 'node:timers/promises';
import type { WorkloadStore } from '@aquifer/control-plane-client/store';
import type { Workload } from '@aquifer/model';
import type { CapturedPod } from './protocol.ts';

/** How long a connection waits for the control plane to describe its own pod (spec ztunnel 1.7). */
const TIMEOUT_MS = 5_000;

/** What the control plane says about a captured pod itself. */
export class OwnWorkload {
  readonly #store: WorkloadStore;
  readonly #pod: CapturedPod;

  constructor(store: WorkloadStore, pod: CapturedPod) {
    this.#store = store;
    this.#pod = pod;
  }

  /** Null while it is not known, or if another account has taken the name. */
  current(): Workload | null {
    const { namespace, name, serviceAccount } = this.#pod;
    const workload = this.#store.workloadByPod(namespace, name);
    return workload?.serviceAccount === serviceAccount ? workload : null;
  }

  /** Resolves as soon as it is known; with null if that takes longer than 5 s. */
  async wait(): Promise<Workload | null> {
    const known = this.current();
    if (known !== null) return known;
    const arrived = Promise.withResolvers<Workload>();
    using _watch = this.#store.onChange(() => {
      const workload = this.current();
      if (workload !== null) arrived.resolve(workload);
    });
    // Awaited here: the watch ends with this function.
    return await Promise.race([arrived.promise, delay(TIMEOUT_MS, null, { ref: false })]);
  }
}
