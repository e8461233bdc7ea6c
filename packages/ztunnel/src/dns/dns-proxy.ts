import type { WorkloadView } from '@aquifer/control-plane-client/snapshot';
import type { Workload } from '@aquifer/model';
import type { Logger } from '@aquifer/runtime';
import type { ThreadDemands } from '../demand/thread-demands.ts';
import { countForwarded, type DnsCounts, type DnsTotals, type DnsTransport } from './dns-totals.ts';
import type { DnsForwarder } from './forwarder.ts';
import {
  type DnsQuery,
  encodeAnswer,
  encodeFailure,
  parseQuery,
  RCODE,
  relayAnswer,
} from './message.ts';
import { serviceKeys } from './names.ts';
import { type DnsDecision, resolve } from './resolve.ts';

const MAX_TCP_BYTES = 65_535;

export interface DnsProxyDeps {
  readonly mesh: { readonly current: Pick<WorkloadView, 'servicesByHostname' | 'endpoints'> };
  /** Where the mesh is known on demand. Default null. */
  readonly demands?: ThreadDemands | null;
  readonly forwarder: DnsForwarder;
  readonly totals: DnsTotals;
  readonly log: Logger;
  readonly scope: {
    readonly network: string;
    readonly clusterDomain: string;
    readonly preferredNamespace: string | null;
    readonly usesIpv6?: boolean;
  };
  /** The pod that asks: whoever reaches these sockets is it. Null if the control plane has not described it in time. */
  readonly client: () => Promise<Workload | null>;
}

/** Answers the queries of one captured pod: names of the mesh itself, all others by asking the node's nameservers. */
export class DnsProxy {
  readonly #deps: DnsProxyDeps;

  constructor(deps: DnsProxyDeps) {
    this.#deps = deps;
  }

  /** The bytes to send back; null for what deserves no answer. Never throws. */
  async answer(message: Buffer, transport: DnsTransport): Promise<Buffer | null> {
    const parsed = parseQuery(message);
    if (!parsed.ok) return parsed.refusal;
    const { query } = parsed;
    const client = await this.#deps.client();
    const counts = this.#deps.totals.of(query.typeName, transport, client);
    counts.requests += 1;
    if (client === null) return encodeFailure(query, RCODE.serverFailure);
    const known = this.#decide(this.#deps.mesh.current, query, client);
    const { demands = null } = this.#deps;
    const decision =
      demands === null || known.kind !== 'forward'
        ? known
        : await this.#decideOnDemand(demands, query, client);
    if (decision.kind === 'forward') return await this.#forward(query, client, counts);
    this.#log(query, client, WORDS[decision.kind === 'none' ? decision.reason : 'found']);
    const isFound = decision.kind === 'addresses';
    const answer = {
      cname: isFound ? decision.cname : null,
      addresses: isFound ? shuffled(decision.addresses) : [],
    };
    return encodeAnswer(query, answer, transport === 'udp' ? query.maxUdpBytes : MAX_TCP_BYTES);
  }

  #decide(
    view: DnsProxyDeps['mesh']['current'],
    { name, type }: DnsQuery,
    { namespace }: Workload,
  ): DnsDecision {
    if (type === 'other' || name === null) return { kind: 'forward' };
    return resolve(view, { name, type }, { ...this.#deps.scope, namespace });
  }

  /** Before others are asked for a name, the control plane is asked for the services that it may mean. */
  #decideOnDemand(demands: ThreadDemands, query: DnsQuery, client: Workload): Promise<DnsDecision> {
    const { clusterDomain } = this.#deps.scope;
    const isAddress = query.type !== 'other' && query.name !== null;
    const { namespace } = client;
    const keys = isAddress ? serviceKeys(query.name, { namespace, clusterDomain }) : [];
    return demands.describe((view) => this.#decide(view, query, client), keys);
  }

  async #forward(query: DnsQuery, client: Workload, counts: DnsCounts): Promise<Buffer> {
    counts.upstreamRequests += 1;
    const startedAtMs = performance.now();
    try {
      const answer = await this.#deps.forwarder.forward(query, counts.transport === 'tcp');
      this.#log(query, client, 'forwarded');
      return relayAnswer(query, answer);
    } catch (error) {
      counts.upstreamFailures += 1;
      this.#log(query, client, `forwarding failed (${(error as Error).message})`);
      return encodeFailure(query, RCODE.serverFailure);
    } finally {
      countForwarded(counts, (performance.now() - startedAtMs) / 1000);
    }
  }

  #log(query: DnsQuery, client: Workload, result: string): void {
    const { log } = this.#deps;
    if (!log.isEnabled('debug')) return;
    log.debug('', {
      'src.workload': client.name,
      'src.namespace': client.namespace,
      query: query.typeName,
      domain: query.name,
      result,
    });
  }
}

/** How logs call the outcomes (spec ztunnel 8). */
const WORDS = {
  found: 'success',
  'no records': 'no records',
  'wrong family': 'service does not support this record type',
} as const;

/** Clients take the first: each should be first as often as the others. */
function shuffled(addresses: readonly string[]): readonly string[] {
  const mixed = [...addresses];
  for (let i = mixed.length - 1; i > 0; i--) {
    const other = Math.floor(Math.random() * (i + 1));
    [mixed[i], mixed[other]] = [mixed[other]!, mixed[i]!];
  }
  return mixed;
}
