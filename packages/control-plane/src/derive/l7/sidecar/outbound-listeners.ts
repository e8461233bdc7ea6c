/**
 * What a sidecar listens on for its own workload (spec l7 0.2; recordings l7/02, 22, 29, 30), as values: the same listener of
 * many sidecars is encoded once.
 *
 *   a Service with HTTP  ──► 0.0.0.0_<port>, routes by host    one with an address and TCP ──► <address>_<port>
 *   one without address  ──► 0.0.0.0_<port>, chains by SNI     a headless one with TCP     ──► one for each pod
 */
import type { ObjectRef } from '../../../ingest/kinds.ts';
import type { MeshService } from '../../mesh-service.ts';
import { refTo } from '../../object.ts';
import type { MeshPort } from '../../ports.ts';
import { type L7Protocol, l7ProtocolOf } from '../../protocol.ts';
import { BLACK_HOLE, outboundCluster, PASSTHROUGH } from '../names.ts';
import type { EgressListener, EgressScope } from './egress-scope.ts';

/** Connections that a listener takes. */
export type OutboundChain =
  /** HTTP: all that is said, or what looks like it. */
  | { readonly kind: 'http'; readonly routes: string; readonly protocol: 'told' | 'sniffed' }
  | {
      readonly kind: 'tcp';
      readonly cluster: string;
      /** Of the client's own TLS; none for any connection. */
      readonly serverNames: readonly string[];
      /** As CIDRs; none for any address. */
      readonly ranges: readonly string[];
    };

export interface OutboundListener {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly capture: EgressListener['capture'];
  readonly chains: readonly OutboundChain[];
  /** The cluster that all other connections go to; null if there are none. Of a service's own address its cluster. */
  readonly otherwise: string | null;
  /** The objects that it is there for. */
  readonly sources: readonly ObjectRef[];
}

/** A TCP port of a headless service: its pods are listened for one by one. */
export interface HeadlessPort {
  readonly service: MeshService;
  readonly port: MeshPort;
}

/** Where unknown traffic goes. */
export function unknownCluster({ unknownTraffic }: Pick<EgressScope, 'unknownTraffic'>): string {
  return unknownTraffic === 'passed' ? PASSTHROUGH : BLACK_HOLE;
}

/** The listeners of a scope by name, without those of headless services. */
export function outboundListeners(scope: EgressScope): ReadonlyMap<string, OutboundListener> {
  const found = new Listeners(scope);
  for (const egress of scope.listeners) {
    for (const service of egress.services) {
      for (const port of tcpPorts(service)) {
        if (!isListenedByPod(service, port, egress)) found.add(service, port, egress);
      }
    }
  }
  return found.all();
}

export function headlessPorts(scope: EgressScope): readonly HeadlessPort[] {
  return scope.listeners.flatMap((egress) =>
    egress.services.flatMap((service) =>
      tcpPorts(service)
        .filter((port) => isListenedByPod(service, port, egress))
        .map((port) => ({ service, port })),
    ),
  );
}

/** That of one pod of a headless service. */
export function podListener(
  { service, port: { number: port } }: HeadlessPort,
  address: string,
): OutboundListener {
  const cluster = outboundCluster(port, service.hostname);
  return {
    name: listenerName(address, port),
    address,
    port,
    capture: 'redirected',
    chains: [{ kind: 'tcp', cluster, serverNames: [], ranges: [] }],
    otherwise: null,
    sources: [refTo(service)],
  };
}

/** HTTP to a headless service is told apart by its host. */
function isListenedByPod(service: MeshService, port: MeshPort, { bind }: EgressListener): boolean {
  const isHttp = ['http1', 'http2'].includes(l7ProtocolOf(port.protocol));
  return service.resolution === 'headless' && !isHttp && bind === '';
}

/** UDP and SCTP are not captured. */
export function tcpPorts({ ports }: MeshService): readonly MeshPort[] {
  return ports.filter(({ transport }) => transport === 'TCP');
}

export function listenerName(address: string, port: number): string {
  return `${address.includes(':') ? `[${address}]` : address}_${port}`;
}

/** Ports of services that fall together on one listener: HTTP by host, TLS by SNI, ranges by address. */
class Listeners {
  readonly #scope: EgressScope;
  readonly #byName = new Map<string, OutboundListener>();

  constructor(scope: EgressScope) {
    this.#scope = scope;
  }

  all(): ReadonlyMap<string, OutboundListener> {
    return this.#byName;
  }

  add(service: MeshService, port: MeshPort, egress: EgressListener): void {
    const { wildcard } = this.#scope.view;
    const protocol = l7ProtocolOf(egress.port?.protocol ?? port.protocol);
    for (const address of addressesOf(service, protocol, egress, wildcard)) {
      const made =
        address === wildcard
          ? this.#shared(service, port, protocol)
          : onAddress(service, port, protocol);
      const name = listenerName(address, port.number);
      const place = { name, address, port: port.number, capture: egress.capture };
      this.#merge({ ...made, ...place, sources: [refTo(service)] });
    }
  }

  /** One that others share. */
  #shared(service: MeshService, port: MeshPort, protocol: L7Protocol): Content {
    const otherwise = unknownCluster(this.#scope);
    const cluster = outboundCluster(port.number, service.hostname);
    if (protocol === 'http1' || protocol === 'http2') {
      return {
        chains: [{ kind: 'http', routes: String(port.number), protocol: 'sniffed' }],
        otherwise,
      };
    }
    const ranges = rangesOf(service);
    const isTls = port.protocol === 'tls' || port.protocol === 'https';
    const serverNames = isTls ? [service.hostname] : [];
    const tcp = { kind: 'tcp', cluster, serverNames, ranges } as const;
    if (protocol === 'tcp') {
      const isForAll = !isTls && ranges.length === 0;
      return { chains: [tcp], otherwise: isForAll ? null : otherwise };
    }
    return sniffed(service, port);
  }

  /** Of two that want the same connections the first one of the listener gets them. */
  #merge(listener: OutboundListener): void {
    const known = this.#byName.get(listener.name);
    if (known === undefined) {
      this.#byName.set(listener.name, listener);
      return;
    }
    const more = listener.chains.filter(
      (chain) => !known.chains.some((other) => matchOf(other) === matchOf(chain)),
    );
    const sources = [...known.sources, ...listener.sources];
    const chains = [...known.chains, ...more];
    const isForAll = chains.some((chain) => matchOf(chain) === matchOf(ANY_CONNECTION));
    const otherwise = isForAll ? null : (known.otherwise ?? listener.otherwise);
    this.#byName.set(listener.name, { ...known, chains, otherwise, sources });
  }
}

type Content = Pick<OutboundListener, 'chains' | 'otherwise'>;

const ANY_CONNECTION: OutboundChain = { kind: 'tcp', cluster: '', serverNames: [], ranges: [] };

/** What a chain takes: equal texts take the same. */
function matchOf(chain: OutboundChain): string {
  return chain.kind === 'http' ? 'http' : JSON.stringify([chain.serverNames, chain.ranges]);
}

/** On an address of its own, which tells all. */
function onAddress(service: MeshService, port: MeshPort, protocol: L7Protocol): Content {
  const cluster = outboundCluster(port.number, service.hostname);
  switch (protocol) {
    case 'http1':
    case 'http2':
      return {
        chains: [{ kind: 'http', routes: String(port.number), protocol: 'told' }],
        otherwise: null,
      };
    case 'tcp':
      return { chains: [{ kind: 'tcp', cluster, serverNames: [], ranges: [] }], otherwise: null };
    case 'unknown':
      return sniffed(service, port);
  }
}

/** What looks like HTTP has routes of its own; everything else goes to the service as it is. */
function sniffed({ hostname }: MeshService, { number }: MeshPort): Content {
  return {
    chains: [{ kind: 'http', routes: sniffedRoutes(hostname, number), protocol: 'sniffed' }],
    otherwise: outboundCluster(number, hostname),
  };
}

/** The routes of a port that may carry HTTP: they are for one service, so that hosts do not matter. */
export function sniffedRoutes(hostname: string, port: number): string {
  return `${hostname}:${port}`;
}

/** HTTP is told apart by host, so that an address of its own is not needed. */
function addressesOf(
  service: MeshService,
  protocol: L7Protocol,
  { bind, capture }: EgressListener,
  wildcard: string,
): readonly string[] {
  if (bind !== '') return [bind];
  if (capture === 'bound') return [loopback(wildcard)];
  const own = protocol === 'http1' || protocol === 'http2' ? [] : addressesIn(service, wildcard);
  return own.length === 0 ? [wildcard] : own;
}

function loopback(wildcard: string): string {
  return wildcard === '::' ? '::1' : '127.0.0.1';
}

/**
 * Single addresses that clients of a family connect to: of a Service that of the family, or else its first; of a
 * ServiceEntry all.
 */
export function addressesIn({ kind, addresses }: MeshService, wildcard: string): string[] {
  const single = addresses.flatMap(({ address, prefixLength }) =>
    prefixLength === null ? [address] : [],
  );
  if (kind === 'ServiceEntry') return single;
  const isOfFamily = (address: string): boolean => address.includes(':') === (wildcard === '::');
  return [single.find(isOfFamily) ?? single[0]].filter((address) => address !== undefined);
}

function rangesOf({ addresses }: MeshService): readonly string[] {
  return addresses.flatMap(({ address, prefixLength }) =>
    prefixLength === null ? [] : [`${address}/${prefixLength}`],
  );
}
