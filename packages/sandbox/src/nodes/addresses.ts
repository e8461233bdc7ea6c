/**
 * The address plan of the sandbox. Everything is IPv4 and private to the machine:
 *
 *   10.244.<n>.0/24   pods of node n, gateway 10.244.<n>.1
 *   10.96.0.0/16      Service addresses; 10.96.0.1 is the API, 10.96.0.10 the DNS
 *   10.97.0.0/24      addresses of load balancers, reached through node 1
 *   10.245.0.0/24     the fabric that joins the nodes and the machine itself: node n is .<n>, the machine .254
 */

export const SERVICE_NETWORK = '10.96.0.0/16';

export const LOAD_BALANCER_NETWORK = '10.97.0.0/24';

/** All of them, in the order in which they are given out. */
export function loadBalancerAddresses(): readonly string[] {
  return Array.from({ length: 254 }, (_, index) => `10.97.0.${index + 1}`);
}

/** The machine's own address on the fabric: API server and DNS. */
export const HOST_ADDRESS = '10.245.0.254';

export const DNS_SERVICE_ADDRESS = '10.96.0.10';

/** More would not fit the address plan: node n owns 10.244.n.0/24 and 10.245.0.n. */
export const MAX_NODES = 250;

export interface NodeAddresses {
  /** 1-based. */
  readonly index: number;
  /** `node-1` and so on: the name of the Node object. */
  readonly name: string;
  readonly podCidr: string;
  readonly gateway: string;
  /** The node's address on the fabric: its InternalIP. */
  readonly address: string;
}

/** Addresses of node `index` (1-based). */
export function nodeAddresses(index: number): NodeAddresses {
  return {
    index,
    name: `node-${index}`,
    podCidr: `10.244.${index}.0/24`,
    gateway: `10.244.${index}.1`,
    address: `10.245.0.${index}`,
  };
}

/**
 * Hands out the pod addresses of one node in ascending order, wrapping around, so that a freed address rests as long
 * as possible before another pod gets it.
 */
export class PodAddressPool {
  readonly #index: number;
  readonly #used = new Set<number>();
  #last = 1;

  constructor(nodeIndex: number) {
    this.#index = nodeIndex;
  }

  /** Throws when all 253 addresses of the node are taken. */
  take(): string {
    for (let step = 0; step < 253; step++) {
      this.#last = this.#last >= 254 ? 2 : this.#last + 1;
      if (this.#used.has(this.#last)) continue;
      this.#used.add(this.#last);
      return `10.244.${this.#index}.${this.#last}`;
    }
    throw new Error(`no free address in 10.244.${this.#index}.0/24: the node runs 253 pods`);
  }

  release(address: string): void {
    this.#used.delete(lastOctet(address));
  }
}

/** `15` of `10.244.1.15`. */
export function lastOctet(address: string): number {
  return Number(address.slice(address.lastIndexOf('.') + 1));
}
