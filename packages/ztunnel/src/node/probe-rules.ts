import type { Logger } from '@aquifer/runtime';
import { NetworkNamespace } from '../capture/netns.ts';
import { installProbeSource } from '../capture/probe-source.ts';
import { observeRedirection } from '../capture/redirection.ts';
import type { EnrolledPod } from './enrolled-pod.ts';

/** Keeps the rules in the node's own namespace that let kubelet probes through to the pods of the mesh. */
export class ProbeRules {
  readonly #node: string;
  readonly #log: Logger;
  /** Null where the node's first process cannot be seen: without `hostPID`. */
  readonly #namespace: NetworkNamespace | null;
  /** Null while it is not known what the rules are. */
  #written: { readonly addresses: string; readonly generation: number } | null = null;

  constructor(options: { readonly node: string; readonly procPath: string; readonly log: Logger }) {
    this.#node = options.node;
    this.#log = options.log;
    this.#namespace = openNode(options);
  }

  /** The node's own namespace. */
  get nodeInode(): number | null {
    return this.#namespace?.inode ?? null;
  }

  /** Writes the rules if the pods, or any rules of the node, have changed. False if that failed. */
  async update(pods: readonly EnrolledPod[]): Promise<boolean> {
    const namespace = this.#namespace;
    if (namespace === null) return true;
    const addresses = [...new Set(pods.flatMap((pod) => pod.addresses))].toSorted();
    const generation = this.#generation(namespace);
    const isSame = this.#written?.addresses === addresses.join();
    if (isSame && this.#written?.generation === generation) return true;
    try {
      await installProbeSource(namespace, addresses);
      this.#written = { addresses: addresses.join(), generation: this.#generation(namespace) };
      return true;
    } catch (error) {
      this.#written = null;
      this.#log.warn('probes of pods may fail: no rules on the node', {
        error: (error as Error).message,
      });
      return false;
    }
  }

  #generation(namespace: NetworkNamespace): number {
    return observeRedirection(namespace, this.#node).generation;
  }
}

function openNode(options: {
  readonly procPath: string;
  readonly log: Logger;
}): NetworkNamespace | null {
  try {
    return NetworkNamespace.open(`${options.procPath}/1/ns/net`);
  } catch (error) {
    options.log.warn("the node's own network cannot be entered", {
      error: (error as Error).message,
    });
    return null;
  }
}
