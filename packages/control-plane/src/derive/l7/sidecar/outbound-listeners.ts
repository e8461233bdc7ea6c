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
import { BLACK_HOLE, PASSTHROUGH } from '../names.ts';
import type { EgressListener, EgressScope } from './egress-scope.ts';
import type { TcpChain } from './tcp-chains.ts';

/** Connections that a listener takes: HTTP that is told or looks like it, and anything else. */
export type OutboundChain =
  | { readonly kind: 'http'; readonly routes: string; readonly protocol: 'told' | 'sniffed' }
  | ({ readonly kind: 'tcp' } & TcpChain);

export interface OutboundListener {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly capture: EgressListener['capture'];
  readonly chains: readonly OutboundChain[];
  /** The cluster that all other connections go to; null if there are none. */
  readonly otherwise: string | null;
  /** The objects that it is there for. */
  readonly sources: readonly ObjectRef[];
}

/** A TCP port of a headless service: its pods are listened for one by one. */
export interface HeadlessPort {
  readonly service: MeshService;
  readonly port: MeshPort;
  readonly listener: EgressListener;
}

/** Where unknown traffic goes. */
export function unknownCluster({ unknownTraffic }: Pick<EgressScope, 'unknownTraffic'>): string {
  return unknownTraffic === 'passed' ? PASSTHROUGH : BLACK_HOLE;
}

/** What is said of connections to a port: by VirtualServices, and if those do not take them. */
export type ChainsOf = (
  service: MeshService,
  port: MeshPort,
  listener: EgressListener,
) => { readonly routed: readonly TcpChain[]; readonly own: TcpChain };

/** The listeners of a scope by name, without those of headless services. */
export function outboundListeners(
  scope: EgressScope,
  chainsOf: ChainsOf,
): ReadonlyMap<string, OutboundListener> {
  const found = new Listeners(scope, chainsOf);
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
        .map((port) => ({ service, port, listener: egress })),
    ),
  );
}

/** That of one pod of a headless service. */
export function podListener(
  { service, port: { number: port } }: HeadlessPort,
  address: string,
  chain: TcpChain,
): OutboundListener {
  return {
    name: listenerName(address, port),
    address,
    port,
    capture: 'redirected',
    chains: [{ kind: 'tcp', ...chain }],
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
  readonly #chainsOf: ChainsOf;
  readonly #byName = new Map<string, OutboundListener>();

  constructor(scope: EgressScope, chainsOf: ChainsOf) {
    this.#scope = scope;
    this.#chainsOf = chainsOf;
  }

  all(): ReadonlyMap<string, OutboundListener> {
    return this.#byName;
  }

  add(service: MeshService, port: MeshPort, egress: EgressListener): void {
    const { wildcard } = this.#scope.view;
    const protocol = l7ProtocolOf(egress.port?.protocol ?? port.protocol);
    for (const address of addressesOf(service, protocol, egress, wildcard)) {
      const name = listenerName(address, port.number);
      const isShared = address === wildcard;
      const chains = this.#chains({ service, port, egress, protocol, isShared });
      const isForAll = chains.some(isCatchAll);
      const isOpen = isShared || chains.some(hasServerNames);
      const otherwise = !isForAll && isOpen ? unknownCluster(this.#scope) : null;
      const place = { name, address, port: port.number, capture: egress.capture };
      this.#merge({ ...place, chains, otherwise, sources: [refTo(service)] });
    }
  }

  #chains({ service, port, egress, protocol, isShared }: ListenedPort): readonly OutboundChain[] {
    if (protocol === 'http1' || protocol === 'http2') {
      const routes = String(port.number);
      return [{ kind: 'http', routes, protocol: isShared ? 'sniffed' : 'told' }];
    }
    const { routed, own } = this.#chainsOf(service, port, egress);
    const isTls = port.protocol === 'tls' || port.protocol === 'https';
    const last: TcpChain = isShared
      ? { ...own, serverNames: isTls ? [service.hostname] : [], ranges: rangesOf(service) }
      : own;
    const isEnough = routed.length > 0 && (isTls || routed.some(isCatchAll));
    const tcp = (isEnough ? routed : [...routed, last]).map(asTcp);
    if (protocol === 'tcp') return tcp;
    const routes = sniffedRoutes(service.hostname, port.number);
    return [{ kind: 'http', routes, protocol: 'sniffed' }, ...tcp];
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
    const otherwise = chains.some(isCatchAll) ? null : (known.otherwise ?? listener.otherwise);
    this.#byName.set(listener.name, { ...known, chains, otherwise, sources });
  }
}

interface ListenedPort {
  readonly service: MeshService;
  readonly port: MeshPort;
  readonly egress: EgressListener;
  readonly protocol: L7Protocol;
  /** Whether the address is not its own. */
  readonly isShared: boolean;
}

function asTcp(chain: TcpChain): OutboundChain {
  return { kind: 'tcp', ...chain };
}

/** What a chain takes: equal texts take the same. */
function matchOf(chain: OutboundChain): string {
  return chain.kind === 'http' ? 'http' : JSON.stringify([chain.serverNames, chain.ranges]);
}

/** Whether it takes every connection that no other takes. */
export function isCatchAll(chain: OutboundChain | TcpChain): boolean {
  if ('routes' in chain) return chain.protocol === 'told';
  return chain.serverNames.length === 0 && chain.ranges.length === 0;
}

export function hasServerNames(chain: OutboundChain): boolean {
  return chain.kind === 'tcp' && chain.serverNames.length > 0;
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
