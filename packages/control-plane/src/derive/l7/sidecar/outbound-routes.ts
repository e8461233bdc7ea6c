/** Routes of what a sidecar's workload asks for, by port and host (spec l7 1.2, 1.15; recordings l7/02, 22, 30), as values. */
import { isDeepStrictEqual } from 'node:util';
import type { MeshService } from '../../mesh-service.ts';
import { l7ProtocolOf } from '../../protocol.ts';
import type { EgressListener, EgressScope } from './egress-scope.ts';
import { addressesIn, sniffedRoutes, tcpPorts } from './outbound-listeners.ts';

/** The hosts of one port of a service, or of no service at all. */
export interface VirtualHost {
  readonly hostname: string;
  readonly port: number;
  /** Null where only VirtualServices know the host. */
  readonly service: MeshService | null;
  /** As Envoy matches them; none is in two virtual hosts of one table. */
  readonly domains: readonly string[];
}

/** The virtual hosts of one name that listeners ask for. */
export interface RouteTable {
  readonly name: string;
  /** What the Sidecar says of it. */
  readonly listener: EgressListener;
  /** Sorted by hostname. */
  readonly hosts: readonly VirtualHost[];
  /** What becomes of any other host; null if there is none. */
  readonly unknownHosts: EgressScope['unknownTraffic'] | null;
}

const ANY_HOST: readonly string[] = ['*'];

/** The tables of a scope by name. What a Sidecar says of a port holds instead of what it says of all. */
export function routeTables(
  scope: EgressScope,
  otherHosts: readonly string[],
  clusterDomain: string,
): ReadonlyMap<string, RouteTable> {
  const tables = new Map<string, RouteTable>();
  const own = scope.listeners.filter(({ port }) => port !== null);
  const others = scope.listeners.filter(({ port }) => port === null);
  const said = new Set(own.map(({ port }) => port?.number));
  for (const listener of [...own, ...others]) {
    for (const [number, hosts] of hostsByPort(listener, scope, clusterDomain)) {
      if (listener.port === null && said.has(number)) continue;
      const name = String(number);
      const known = tables.get(name)?.hosts ?? [];
      const table = { name, listener };
      const more = listener.port === null ? othersAt(number, otherHosts, scope, clusterDomain) : [];
      const all = distinct([...known, ...hosts, ...more]);
      const isForAny = all.some(({ domains }) => domains.includes('*'));
      const unknownHosts = isForAny ? null : scope.unknownTraffic;
      tables.set(name, { ...table, hosts: all, unknownHosts });
    }
    for (const host of sniffedHosts(listener)) {
      const name = sniffedRoutes(host.hostname, host.port);
      tables.set(name, { name, listener, hosts: [host], unknownHosts: null });
    }
  }
  return tables;
}

function othersAt(
  port: number,
  others: readonly string[],
  { view }: EgressScope,
  clusterDomain: string,
): VirtualHost[] {
  return others.map((hostname) => ({
    hostname,
    port,
    service: null,
    domains: hostname === '*' ? ANY_HOST : namesOf(hostname, view.namespace, clusterDomain),
  }));
}

function hostsByPort(
  { services, port: said }: EgressListener,
  { view }: EgressScope,
  clusterDomain: string,
): ReadonlyMap<number, readonly VirtualHost[]> {
  const found = new Map<number, VirtualHost[]>();
  for (const service of services) {
    for (const port of tcpPorts(service)) {
      if (!['http1', 'http2'].includes(l7ProtocolOf(said?.protocol ?? port.protocol))) continue;
      const domains = domainsOf(service, view.namespace, clusterDomain, view.wildcard);
      const hosts = found.get(port.number) ?? [];
      found.set(port.number, hosts);
      hosts.push({ hostname: service.hostname, port: port.number, service, domains });
    }
  }
  return found;
}

function sniffedHosts({ services, port: said }: EgressListener): VirtualHost[] {
  return services.flatMap((service) =>
    tcpPorts(service)
      .filter((port) => l7ProtocolOf(said?.protocol ?? port.protocol) === 'unknown')
      .map(({ number }) => ({
        hostname: service.hostname,
        port: number,
        service,
        domains: ANY_HOST,
      })),
  );
}

/** A name stands for the service whose own it is, else for the first that has it as a short form. */
function distinct(hosts: readonly VirtualHost[]): readonly VirtualHost[] {
  const names = new Set(hosts.map(({ hostname }) => hostname));
  const taken = new Set<string>();
  return hosts.flatMap((host) => {
    const { hostname } = host;
    const domains = host.domains.filter(
      (domain) => !taken.has(domain) && (domain === hostname || !names.has(domain)),
    );
    for (const domain of domains) taken.add(domain);
    return domains.length === 0 ? [] : [{ ...host, domains }];
  });
}

/** Its name, the forms that the client's DNS completes, and its addresses. */
function domainsOf(
  service: MeshService,
  namespace: string,
  clusterDomain: string,
  wildcard: string,
): string[] {
  const { hostname } = service;
  const names = namesOf(hostname, namespace, clusterDomain);
  const ofPods = service.resolution === 'headless' ? names.map((name) => `*.${name}`) : [];
  const addresses = addressesIn(service, wildcard).map((address) =>
    address.includes(':') ? `[${address}]` : address,
  );
  return [...names, ...ofPods, ...addresses];
}

/** All that a client in the namespace may call a host by. */
export function namesOf(hostname: string, namespace: string, clusterDomain: string): string[] {
  return [hostname, `${hostname}.`, ...shortForms(hostname, namespace, clusterDomain)];
}

/** `name`, `name.namespace.svc` and `name.namespace` of a Kubernetes name; the first only within its namespace. */
function shortForms(hostname: string, namespace: string, clusterDomain: string): string[] {
  const suffix = `.svc.${clusterDomain}`;
  if (!hostname.endsWith(suffix)) return [];
  const short = hostname.slice(0, -suffix.length);
  const dot = short.indexOf('.');
  if (dot < 1) return [];
  return short.slice(dot + 1) === namespace
    ? [short.slice(0, dot), `${short}.svc`, short]
    : [short, `${short}.svc`];
}

export function isSameTable(before: RouteTable, now: RouteTable): boolean {
  return (
    before.name === now.name &&
    before.unknownHosts === now.unknownHosts &&
    isDeepStrictEqual(before.listener.hosts, now.listener.hosts) &&
    before.hosts.length === now.hosts.length &&
    before.hosts.every((host, index) => isSameHost(host, now.hosts[index]!))
  );
}

function isSameHost(before: VirtualHost, now: VirtualHost): boolean {
  return (
    before.service === now.service &&
    before.port === now.port &&
    isDeepStrictEqual(before.domains, now.domains)
  );
}
