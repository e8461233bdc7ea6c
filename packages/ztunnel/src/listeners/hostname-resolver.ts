import { lookup } from 'node:dns/promises';
import type { Workload } from '@aquifer/model';

/** Answers are asked for again after this: the system's resolver does not say how long they are good for. */
const KEEP_MS = 5000;
const MAX_KEPT = 4096;

interface Kept {
  readonly addresses: Promise<readonly string[]>;
  readonly untilMs: number;
}

/** Finds the addresses of workloads that have only a hostname, in the proxy's own network, one query at a time for each. */
export class HostnameResolver {
  readonly #kept = new Map<string, Kept>();
  readonly #onResolve: (source: Workload, hostname: string) => void;

  readonly #usesIpv6: boolean;

  /** `onResolve` is told of each use, for metrics. */
  constructor(usesIpv6: boolean, onResolve: (source: Workload, hostname: string) => void) {
    this.#usesIpv6 = usesIpv6;
    this.#onResolve = onResolve;
  }

  /** All addresses, in the resolver's order; none if there is no such name. */
  resolve(source: Workload, { hostname }: Workload): Promise<readonly string[]> {
    this.#onResolve(source, hostname);
    const nowMs = performance.now();
    const kept = this.#kept.get(hostname);
    if (kept !== undefined && kept.untilMs > nowMs) return kept.addresses;
    if (this.#kept.size >= MAX_KEPT) this.#kept.clear();
    const addresses = lookUp(hostname, this.#usesIpv6 ? 0 : 4);
    this.#kept.set(hostname, { addresses, untilMs: nowMs + KEEP_MS });
    return addresses;
  }
}

async function lookUp(hostname: string, family: 0 | 4): Promise<readonly string[]> {
  try {
    const found = await lookup(hostname, { all: true, family });
    return found.map(({ address }) => address);
  } catch {
    return [];
  }
}
