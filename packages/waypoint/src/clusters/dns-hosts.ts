import { isIP } from 'node:net';
import { formatSocketAddress } from '@aquifer/wire';
import type { CompiledAssignment, EndpointSpec } from '../compile/assignment.ts';
import type { EndpointHosts } from './endpoint-hosts.ts';
import type { HostAddress } from './host.ts';

/** How the names of a cluster's endpoints become addresses. */
export interface DnsSettings {
  /**
   * Every address of a name is a host (STRICT_DNS), or the first one only (LOGICAL_DNS); or all are one host, which is
   * connected to at the first that answers (LOGICAL_DNS with the family ALL).
   */
  readonly uses: 'every-address' | 'first-address' | 'any-address';
  readonly family: 4 | 6 | 'any';
  /** How often a name is looked up, in milliseconds; a longer life of the answer counts if `heeds` says so. */
  readonly refreshMs: number;
  readonly heeds: 'refresh-rate' | 'time-to-live';
}

export interface DnsAnswer {
  readonly addresses: readonly string[];
  /** Null if nobody says. */
  readonly timeToLiveMs: number | null;
}

/** Rejects if nobody answers, or the name is none. */
export type Resolve = (name: string, family: DnsSettings['family']) => Promise<DnsAnswer>;

/** Of a name that nobody answers for, and of answers that are to be forgotten at once. */
const SHORTEST_MS = 1000;

interface Name {
  addresses: readonly string[];
  timer: NodeJS.Timeout | undefined;
}

/**
 * Endpoints that are names. Always: a name that cannot be looked up keeps the addresses of its last answer, and a host whose
 * address stays in the answers keeps its connections.
 */
export class DnsHosts {
  readonly #hosts: EndpointHosts;
  readonly #resolve: Resolve;
  readonly #names = new Map<string, Name>();
  #assignment: CompiledAssignment | null = null;
  #settings: DnsSettings;

  constructor(hosts: EndpointHosts, settings: DnsSettings, resolve: Resolve) {
    this.#hosts = hosts;
    this.#settings = settings;
    this.#resolve = resolve;
  }

  /** Counts from the next look-up on. */
  setSettings(settings: DnsSettings): void {
    this.#settings = settings;
  }

  setEndpoints(assignment: CompiledAssignment): void {
    this.#assignment = assignment;
    const wanted = new Set(namesOf(assignment));
    for (const [name, { timer }] of this.#names) {
      if (wanted.has(name)) continue;
      clearTimeout(timer);
      this.#names.delete(name);
    }
    this.#apply();
    for (const name of wanted) {
      if (this.#names.has(name)) continue;
      this.#names.set(name, { addresses: [], timer: undefined });
      void this.#lookUp(name);
    }
  }

  close(): void {
    for (const { timer } of this.#names.values()) clearTimeout(timer);
    this.#names.clear();
  }

  async #lookUp(name: string): Promise<void> {
    const { family, refreshMs, heeds } = this.#settings;
    let answer: DnsAnswer | null = null;
    try {
      answer = await this.#resolve(name, family);
    } catch {
      // The last answer holds; the name is asked for again.
    }
    const known = this.#names.get(name);
    if (known === undefined) return;
    if (answer !== null && answer.addresses.length > 0) {
      known.addresses = this.#used(answer.addresses, known.addresses);
      this.#apply();
    }
    const livesMs = heeds === 'time-to-live' ? (answer?.timeToLiveMs ?? null) : null;
    const nextMs = Math.max(livesMs ?? refreshMs, SHORTEST_MS);
    known.timer = setTimeout(() => void this.#lookUp(name), nextMs).unref();
  }

  /** One that is in use stays in use while it is in the answer. */
  #used(answered: readonly string[], before: readonly string[]): readonly string[] {
    if (this.#settings.uses === 'every-address') return answered;
    const first = before.find((address) => answered.includes(address)) ?? answered[0]!;
    if (this.#settings.uses === 'first-address') return [first];
    return [first, ...answered.filter((address) => address !== first).toSorted()];
  }

  #apply(): void {
    if (this.#assignment === null) return;
    const localities = this.#assignment.localities.map((locality) => ({
      ...locality,
      endpoints: locality.endpoints.flatMap((endpoint) => this.#resolved(endpoint)),
    }));
    this.#hosts.setEndpoints({ ...this.#assignment, localities });
  }

  #resolved(endpoint: EndpointSpec): EndpointSpec[] {
    const { address } = endpoint;
    if (isIP(address.ip) !== 0) return [endpoint];
    const { addresses = [] } = this.#names.get(address.ip) ?? {};
    const [first, ...alternatives] = addresses;
    if (this.#settings.uses === 'any-address' && first !== undefined) {
      return [resolvedTo({ kind: 'plain', ip: first, port: address.port, alternatives }, endpoint)];
    }
    return addresses.map((ip) => resolvedTo({ ...address, ip }, endpoint));
  }
}

function resolvedTo(address: HostAddress, endpoint: EndpointSpec): EndpointSpec {
  return { ...endpoint, address, hashKey: formatSocketAddress(address) };
}

function namesOf({ localities }: CompiledAssignment): string[] {
  return localities
    .flatMap(({ endpoints }) => endpoints.map(({ address }) => address.ip))
    .filter((ip) => isIP(ip) === 0);
}
