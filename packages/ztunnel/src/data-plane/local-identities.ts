import { formatIdentity, type Workload } from '@aquifer/model';

/** Identities of this node's workloads in the mesh: their certificates are kept from before a pod is captured (spec ztunnel 6.5). */
export class LocalIdentities {
  readonly #nodeName: string;
  readonly #workloads = new Map<string, number>();

  constructor(nodeName: string) {
    this.#nodeName = nodeName;
  }

  /** A workload came (nothing before), changed, or went (nothing after). */
  follow(before: Workload | null, after: Workload | null): void {
    if (before !== null && this.#isOurs(before)) this.#count(before, -1);
    if (after !== null && this.#isOurs(after)) this.#count(after, 1);
  }

  all(): Iterable<string> {
    return this.#workloads.keys();
  }

  #isOurs({ node, protocol, nativeTunnel }: Workload): boolean {
    return node === this.#nodeName && (protocol === 'hbone' || nativeTunnel);
  }

  #count(workload: Workload, change: number): void {
    const identity = formatIdentity(workload);
    const count = (this.#workloads.get(identity) ?? 0) + change;
    if (count > 0) this.#workloads.set(identity, count);
    else this.#workloads.delete(identity);
  }
}
