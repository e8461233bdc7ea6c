/**
 * What kube-proxy does, as the text of one nftables table per node: Service addresses and node ports are translated to
 * a random ready endpoint; an address without endpoints refuses.
 *
 * Always: a change touches only what differs, and endpoints stand in rules, not in maps. A connection that begins while a
 * map is being replaced can find its element in neither the old nor the new one, and is refused.
 */
import { LOAD_BALANCER_NETWORK, SERVICE_NETWORK } from './addresses.ts';

export interface ServiceEndpoint {
  readonly address: string;
  readonly port: number;
}

/** One port of one Service and its ready endpoints. */
export interface ServicePortRule {
  readonly clusterIp: string;
  /** Further addresses, of a load balancer. */
  readonly balancerIps: readonly string[];
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
  /** Null unless the Service is of type NodePort or LoadBalancer. */
  readonly nodePort: number | null;
  readonly endpoints: readonly ServiceEndpoint[];
  /** Session affinity ClientIP: an address meets the same endpoint as long as the endpoints are the same. */
  readonly isSticky: boolean;
}

export interface NodeRules {
  readonly services: readonly ServicePortRule[];
  /** Addresses of the pods on this node. */
  readonly podAddresses: readonly string[];
}

/** What of the table follows the cluster: the elements of its maps and sets, and a chain of rules per Service port. */
export interface TableContent {
  readonly elements: ReadonlyMap<string, ReadonlySet<string>>;
  readonly chains: ReadonlyMap<string, readonly string[]>;
}

export function tableContent({ services, podAddresses }: NodeRules): TableContent {
  const reachable = services.filter((service) => service.endpoints.length > 0);
  const vips = new Map<string, string>();
  for (const service of reachable) {
    for (const address of [service.clusterIp, ...service.balancerIps]) {
      const key = `${address} . ${service.protocol} . ${service.port}`;
      // Two for one address would keep all from the table.
      if (!vips.has(key)) vips.set(key, `${key} : goto ${chainName(service)}`);
    }
  }
  const nodePorts = reachable
    .filter((service) => service.nodePort !== null)
    .map((service) => `${service.protocol} . ${service.nodePort} : goto ${chainName(service)}`);
  return {
    elements: new Map([
      ['service-addresses', new Set(vips.values())],
      ['node-ports', new Set(nodePorts)],
      ['to-itself', new Set(podAddresses.map((address) => `${address} . ${address}`))],
    ]),
    chains: new Map(reachable.map((service) => [chainName(service), chainRules(service)])),
  };
}

/** Addresses that nobody has: what is not translated is refused. */
const VIRTUAL = `${SERVICE_NETWORK}, ${LOAD_BALANCER_NETWORK}`;

/** The table without content, in place of one that may be there. */
const EMPTY_TABLE = `table ip aquifer
delete table ip aquifer
table ip aquifer {
  map service-addresses {
    type ipv4_addr . inet_proto . inet_service : verdict
  }
  map node-ports {
    type inet_proto . inet_service : verdict
  }
  set to-itself {
    type ipv4_addr . ipv4_addr
  }
  chain prerouting {
    type nat hook prerouting priority -100; policy accept;
    ip daddr . meta l4proto . th dport vmap @service-addresses
    fib daddr type local meta l4proto . th dport vmap @node-ports
  }
  chain output {
    type nat hook output priority -100; policy accept;
    ip daddr . meta l4proto . th dport vmap @service-addresses
    fib daddr type local meta l4proto . th dport vmap @node-ports
  }
  chain postrouting {
    type nat hook postrouting priority 100; policy accept;
    ct status dnat ip saddr . ip daddr @to-itself masquerade
    ct status dnat iifname "fabric" oifname "fabric" masquerade
  }
  chain forward {
    type filter hook forward priority 0; policy accept;
    ip daddr { ${VIRTUAL} } meta l4proto tcp reject with tcp reset
    ip daddr { ${VIRTUAL} } reject with icmp type port-unreachable
  }
  chain own-traffic {
    type filter hook output priority 0; policy accept;
    ip daddr { ${VIRTUAL} } meta l4proto tcp reject with tcp reset
    ip daddr { ${VIRTUAL} } reject with icmp type port-unreachable
  }
}
`;

/**
 * One transaction that turns the table with `before` into the one with `after`; null for a table of unknown content, or
 * none. Empty when they are the same. Established connections keep their translation.
 */
export function tableChange(before: TableContent | null, after: TableContent): string {
  const chains = before?.chains ?? new Map<string, readonly string[]>();
  const gone = [...chains.keys()].filter((name) => !after.chains.has(name));
  const changed = [...after.chains].filter(
    ([name, rules]) => chains.get(name)?.join() !== rules.join(),
  );
  return [
    before === null ? EMPTY_TABLE : '',
    // Elements and chains hold each other: what is pointed at comes first and goes last.
    ...changed.map(([name, rules]) => chainWith(name, rules)),
    ...[...after.elements].map(([set, elements]) =>
      elementChange(set, before?.elements.get(set) ?? new Set(), elements),
    ),
    ...gone.map((name) => `flush chain ip aquifer ${name}\ndelete chain ip aquifer ${name}\n`),
  ].join('');
}

function chainWith(name: string, rules: readonly string[]): string {
  const added = rules.map((rule) => `add rule ip aquifer ${name} ${rule}\n`).join('');
  return `add chain ip aquifer ${name}\nflush chain ip aquifer ${name}\n${added}`;
}

function elementChange(
  set: string,
  before: ReadonlySet<string>,
  after: ReadonlySet<string>,
): string {
  const command = (verb: string, elements: ReadonlySet<string>): string =>
    elements.size === 0
      ? ''
      : `${verb} element ip aquifer ${set} { ${[...elements].join(', ')} }\n`;
  return command('delete', before.difference(after)) + command('add', after.difference(before));
}

function chainName(service: ServicePortRule): string {
  return `service-${service.clusterIp}-${service.protocol}-${service.port}`;
}

/** Of n endpoints the first is taken once in n times, else the second once in n - 1, and so on: all alike. */
function chainRules({ endpoints, protocol, isSticky }: ServicePortRule): string[] {
  return endpoints.map(({ address, port }, index) => {
    const remaining = endpoints.length - index;
    const choice = isSticky
      ? `jhash ip saddr mod ${endpoints.length} seed 0x1 ${index} `
      : `numgen random mod ${remaining} 0 `;
    const chance = remaining === 1 ? '' : choice;
    return `meta l4proto ${protocol} ${chance}dnat to ${address}:${port}`;
  });
}
