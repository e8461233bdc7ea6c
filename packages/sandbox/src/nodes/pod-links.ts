import { lastOctet, type NodeAddresses } from './addresses.ts';
import { deleteNamespaces, ip, ipAll, nodeNamespace } from './network.ts';

export interface PodLink {
  /** Of the pod. */
  readonly namespace: string;
  readonly address: string;
}

/** The kernel removes the links of a group at once; one by one, each waits for all processors (40 ms, measured). */
const LEAVING_GROUP = 1;

/**
 * The links between one node and its pods.
 *
 * Always: pods that end together are taken off together. Starting a program holds up the sandbox's process until the
 * program runs, and a few hundred of them would hold up the API for seconds.
 */
export class PodLinks {
  readonly #node: NodeAddresses;
  #leaving: PodLink[] = [];
  /** Takes off all that is in `#leaving`; null while nothing is. */
  #next: Promise<void> | null = null;
  #last: Promise<void> = Promise.resolve();

  constructor(node: NodeAddresses) {
    this.#node = node;
  }

  /** Makes the pod's namespace and joins it to its node's bridge: `eth0` with its address, and `lo`. */
  async attach({ namespace, address }: PodLink): Promise<void> {
    const port = podPort(address);
    const { name, gateway } = this.#node;
    await ip(null, [`netns add ${namespace}`]);
    await ip(nodeNamespace(name), [
      `link add ${port} type veth peer name eth0 netns ${namespace}`,
      `link set ${port} master pods up`,
    ]);
    await ip(namespace, [
      'link set lo up',
      `addr add ${address}/32 dev eth0`,
      'link set eth0 up',
      `route add ${gateway} dev eth0 scope link`,
      `route add default via ${gateway} dev eth0 onlink src ${address}`,
    ]);
  }

  /** Removes the pod's link and the name of its namespace; the namespace itself ends with its last process. */
  detach(link: PodLink): Promise<void> {
    this.#leaving.push(link);
    if (this.#next === null) {
      this.#next = this.#last.then(() => this.#detachLeaving());
      this.#last = this.#next;
    }
    return this.#next;
  }

  async #detachLeaving(): Promise<void> {
    const links = this.#leaving;
    this.#leaving = [];
    this.#next = null;
    await ipAll(nodeNamespace(this.#node.name), [
      ...links.map(({ address }) => `link set ${podPort(address)} group ${LEAVING_GROUP}`),
      `link del group ${LEAVING_GROUP}`,
    ]);
    await deleteNamespaces(links.map(({ namespace }) => namespace));
  }
}

/** The node's end of a pod's link, in the node's namespace: `pod-15` for 10.244.1.15. */
function podPort(address: string): string {
  return `pod-${lastOctet(address)}`;
}
