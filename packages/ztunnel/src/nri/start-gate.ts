import type { Logger } from '@aquifer/runtime';
import type { Sandbox, SandboxListener } from './nri-plugin.ts';

/** What the gate needs of those who capture. */
export interface GatedCaptures {
  /** Tells where a pod's network is, before any process of it runs. */
  sandboxStarted(sandbox: Sandbox): void;
  sandboxRemoved(sandbox: Sandbox): void;
  /** Whether the pod is captured; null if it is not to be. */
  isCaptured(uid: string): boolean | null;
  /** Resolves with the next change of what `isCaptured` says of any pod. */
  changed(): Promise<void>;
}

/**
 * Holds back the containers of a pod until it is captured. A pod that is not captured within the runtime's limit is let
 * go (`open`), or its container is refused (`closed`): then Kubernetes tries again, some seconds later. Pods outside of
 * the mesh pass at once.
 */
export class StartGate implements SandboxListener {
  readonly #captures: GatedCaptures;
  readonly #onFailure: 'open' | 'closed';
  readonly #log: Logger;

  constructor(captures: GatedCaptures, onFailure: 'open' | 'closed', log: Logger) {
    this.#captures = captures;
    this.#onFailure = onFailure;
    this.#log = log;
  }

  known(sandboxes: readonly Sandbox[]): void {
    for (const sandbox of sandboxes) this.#captures.sandboxStarted(sandbox);
  }

  /** Whatever comes of it, the containers are asked for next. */
  async started(sandbox: Sandbox, limitMs: number): Promise<void> {
    this.#captures.sandboxStarted(sandbox);
    await this.#captured(sandbox.uid, limitMs);
  }

  async containerWanted(sandbox: Sandbox, limitMs: number): Promise<void> {
    if (sandbox.networkPath === null) return;
    // The runtime may have been told of it by a plugin before this one.
    this.#captures.sandboxStarted(sandbox);
    if (await this.#captured(sandbox.uid, limitMs)) return;
    const wl = `${sandbox.namespace}/${sandbox.name}`;
    this.#log.warn('pod is not captured in time', { wl, result: WORDS[this.#onFailure] });
    if (this.#onFailure === 'closed') {
      throw new Error(`aquifer: pod ${wl} is not captured yet, see the log of this node's ztunnel`);
    }
  }

  removed(sandbox: Sandbox): void {
    this.#captures.sandboxRemoved(sandbox);
  }

  /** Waits until the pod is captured, or not to be; false if that takes too long. */
  async #captured(uid: string, limitMs: number): Promise<boolean> {
    const signal = AbortSignal.timeout(limitMs);
    const isLate = new Promise<void>((resolve) =>
      signal.addEventListener('abort', () => resolve()),
    );
    while (this.#captures.isCaptured(uid) === false) {
      if (signal.aborted) return false;
      await Promise.race([this.#captures.changed(), isLate]);
    }
    return true;
  }
}

const WORDS = { open: 'it starts', closed: 'it does not start yet' } as const;
