/**
 * What kube-proxy does, as the text of one nftables table per node: Service addresses and node ports are translated to
 * a random ready endpoint; an address without endpoints refuses.
 */
import { HOST_ADDRESS, PROBE_SOURCE_ADDRESS, SERVICE_NETWORK } from './addresses.ts';

export interface ServiceEndpoint {
  readonly address: string;
  readonly port: number;
}

/** One port of one Service and its ready endpoints. */
export interface ServicePortRule {
  readonly clusterIp: string;
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
  /** Null unless the Service is of type NodePort or LoadBalancer. */
  readonly nodePort: number | null;
  readonly endpoints: readonly ServiceEndpoint[];
}

export interface NodeRules {
  readonly services: readonly ServicePortRule[];
  /** Addresses of the pods on this node. */
  readonly podAddresses: readonly string[];
}

/** The whole table, replacing the one before in one transaction; established connections keep their translation. */
export function serviceRules({ services, podAddresses }: NodeRules): string {
  const reachable = services.filter((service) => service.endpoints.length > 0);
  const vips = reachable.map(
    (service) =>
      `${service.clusterIp} . ${service.protocol} . ${service.port} : goto ${chainName(service)}`,
  );
  const nodePorts = reachable
    .filter((service) => service.nodePort !== null)
    .map((service) => `${service.protocol} . ${service.nodePort} : goto ${chainName(service)}`);
  return `table ip aquifer
delete table ip aquifer
table ip aquifer {
  map service-addresses {
    type ipv4_addr . inet_proto . inet_service : verdict
${elements(vips)}  }
  map node-ports {
    type inet_proto . inet_service : verdict
${elements(nodePorts)}  }
  set to-itself {
    type ipv4_addr . ipv4_addr
${elements(podAddresses.map((address) => `${address} . ${address}`))}  }
${reachable.map(serviceChain).join('')}  chain prerouting {
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
    ip saddr ${HOST_ADDRESS} meta l4proto tcp oifname "pods" snat to ${PROBE_SOURCE_ADDRESS}
  }
  chain forward {
    type filter hook forward priority 0; policy accept;
    ip daddr ${SERVICE_NETWORK} meta l4proto tcp reject with tcp reset
    ip daddr ${SERVICE_NETWORK} reject with icmp type port-unreachable
  }
  chain own-traffic {
    type filter hook output priority 0; policy accept;
    ip daddr ${SERVICE_NETWORK} meta l4proto tcp reject with tcp reset
    ip daddr ${SERVICE_NETWORK} reject with icmp type port-unreachable
  }
}
`;
}

function chainName(service: ServicePortRule): string {
  return `service-${service.clusterIp}-${service.protocol}-${service.port}`;
}

function serviceChain(service: ServicePortRule): string {
  const { endpoints, protocol } = service;
  const targets = endpoints.map(({ address, port }, index) => `${index} : ${address} . ${port}`);
  return `  chain ${chainName(service)} {
    meta l4proto ${protocol} dnat to numgen random mod ${endpoints.length} map { ${targets.join(', ')} }
  }
`;
}

function elements(list: readonly string[]): string {
  return list.length === 0 ? '' : `    elements = { ${list.join(',\n      ')} }\n`;
}
