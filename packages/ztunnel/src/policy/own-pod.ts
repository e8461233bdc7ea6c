import { setTimeout as delay } from 'node:timers/promises';
import type { CompiledPolicies, Workload } from '@aquifer/model';
import type { CapturedPod } from './captured-pod.ts';

/** How long a connection waits for the control plane to describe its own pod (spec ztunnel 1.7). */
const TIMEOUT_MS = 5_000;

/**
 * What the control plane says about a captured pod itself, on one thread. Always: policies stay in force while the pod's
 * workload is gone for a moment; only new connections wait for it.
 */
export class OwnPod {
  readonly #pod: Pick<CapturedPod, 'namespace' | 'name' | 'serviceAccount'>;
  readonly #watchers = new Set<(workload: Workload) => void>();
  #workload: Workload | null = null;
  #policies: CompiledPolicies | null = null;

  constructor(pod: Pick<CapturedPod, 'namespace' | 'name' | 'serviceAccount'>) {
    this.#pod = pod;
  }

  /** Null while it is not known. */
  get workload(): Workload | null {
    return this.#workload;
  }

  /** Null until the workload was known for the first time. Other policies are another object, and the same the same. */
  get policies(): CompiledPolicies | null {
    return this.#policies;
  }

  /** Why a connection is refused while the control plane has not described the pod. */
  get whyUnknown(): string {
    const { serviceAccount, namespace, name } = this.#pod;
    return `failed to fetch information about local workload: ${serviceAccount}.${namespace} (${name})`;
  }

  update(workload: Workload | null, policies: CompiledPolicies | null): void {
    this.#workload = workload;
    this.#policies = policies;
    if (workload === null) return;
    for (const watcher of this.#watchers) watcher(workload);
  }

  /** Calls back with the workload, if it is known, and with each version that follows. */
  watch(onWorkload: (workload: Workload) => void): Disposable {
    this.#watchers.add(onWorkload);
    if (this.#workload !== null) onWorkload(this.#workload);
    return { [Symbol.dispose]: () => this.#watchers.delete(onWorkload) };
  }

  /** Resolves as soon as the workload is known; with null if that takes longer than 5 s. */
  async wait(): Promise<Workload | null> {
    if (this.#workload !== null) return this.#workload;
    const arrived = Promise.withResolvers<Workload>();
    using _watch = this.watch(arrived.resolve);
    // Awaited here: the watch ends with this function.
    return await Promise.race([arrived.promise, delay(TIMEOUT_MS, null, { ref: false })]);
  }
}
