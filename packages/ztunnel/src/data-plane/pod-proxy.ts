import type { SnapshotReader } from '@aquifer/control-plane-client/snapshot';
import {
  type Revocations,
  type TunnelDialer,
  TunnelPool,
  type WorkloadCertificate,
} from '@aquifer/hbone';
import { formatIdentity, type Workload } from '@aquifer/model';
import type { Logger } from '@aquifer/runtime';
import { closeSocket } from '../capture/libc.ts';
import type { NetworkNamespace } from '../capture/netns.ts';
import type { PodSockets } from '../capture/pod-sockets.ts';
import { listenInPod } from '../capture/sockets.ts';
import type { RecordDeps } from '../connections/connection-record.ts';
import { OpenConnections } from '../connections/open-connections.ts';
import type { ThreadDemands } from '../demand/thread-demands.ts';
import type { DnsListener } from '../dns/dns-listener.ts';
import type { DnsTotals } from '../dns/dns-totals.ts';
import { lookUpAddress } from '../dns/lookup.ts';
import { servePodDns } from '../dns/pod-dns.ts';
import type { HostnameResolver } from '../listeners/hostname-resolver.ts';
import { type HboneListener, listenInbound } from '../listeners/inbound.ts';
import { type InboundPod, listenInboundPassthrough } from '../listeners/inbound-passthrough.ts';
import { listenOutbound } from '../listeners/outbound.ts';
import { dialHbone } from '../listeners/outbound-connect.ts';
import type { PodListener } from '../listeners/plain-listener.ts';
import { listenSocks } from '../listeners/socks.ts';
import type { CapturedPod } from '../policy/captured-pod.ts';
import type { DecisionLog } from '../policy/decision-log.ts';
import type { OwnPod } from '../policy/own-pod.ts';
import {
  INBOUND_HBONE_PORT,
  INBOUND_PLAINTEXT_PORT,
  OUTBOUND_PORT,
  proxyPorts,
  SOCKS_PORT,
} from '../ports.ts';
import type { PeerBaggage } from '../telemetry/peer-baggage.ts';
import type { ThreadCertificates } from './certificates.ts';
import type { ThreadConfig } from './thread-messages.ts';

export interface PodProxyDeps {
  readonly config: ThreadConfig;
  readonly mesh: SnapshotReader;
  /** Null where the whole mesh is known. */
  readonly demands: ThreadDemands | null;
  readonly own: OwnPod;
  readonly certificates: ThreadCertificates;
  readonly revocations: Revocations | null;
  readonly record: RecordDeps;
  readonly baggage: PeerBaggage | null;
  readonly decisions: DecisionLog;
  readonly dnsTotals: DnsTotals;
  readonly hostnames: HostnameResolver;
  readonly log: Logger;
}

/** What connects to the proxy's own pod is no traffic of a captured pod. */
function configOf({ isProxy = false }: CapturedPod, config: ThreadConfig): ThreadConfig {
  if (!isProxy) return config;
  return { ...config, preserveSource: false, sockets: { ...config.sockets, mark: null } };
}

/** The proxy of one captured pod on one thread: its listeners, its tunnels, its open connections. */
export class PodProxy {
  readonly connections: OpenConnections;
  readonly #deps: PodProxyDeps;
  readonly #dialer: TunnelDialer;
  readonly #pool: TunnelPool;
  readonly #inbound: InboundPod;
  readonly #listeners: PodListener[] = [];
  readonly #resources = new DisposableStack();
  #certificate: Disposable | null = null;
  #identity: string | null = null;
  #hbone: HboneListener | null = null;
  #dns: DnsListener | null = null;
  #stopped = false;

  /** Binds all three ports at once; throws if one is taken, leaving none behind. */
  constructor(pod: CapturedPod, namespace: NetworkNamespace, deps: PodProxyDeps) {
    const { own, mesh, demands, record, baggage } = deps;
    const config = configOf(pod, deps.config);
    const { poolMaxStreams: maxStreams, poolIdleMs: idleMs } = config;
    const { network, preserveSource, tunnelsToLoopback } = config;
    const sockets = { namespace, settings: config.sockets };
    this.#deps = deps;
    this.#dialer = {
      secureContext: (identity) => deps.certificates.context(identity),
      dial: (hop) => dialHbone(sockets, hop),
      revocations: deps.revocations,
      http2: config.http2,
    };
    this.#pool = new TunnelPool({ dialer: this.#dialer, maxStreams, idleMs });
    this.connections = new OpenConnections(own, deps.decisions);
    const { connections } = this;
    const ports = proxyPorts(config.servesSocks);
    const podNetwork = {
      ...{ sockets, network, preserveSource, tunnelsToLoopback },
      proxyPorts: ports,
    };
    this.#inbound = { own, mesh, demands, connections, record, baggage, network: podNetwork };
    try {
      this.#listenForTunnels(sockets);
      if (pod.isProxy !== true) this.#listenForPlain(sockets);
      this.serveDns(pod.captureDns);
    } catch (error) {
      this.abort();
      throw error;
    }
  }

  /** Answers the pod's queries, or stops to. Throws if the port is taken. */
  serveDns(isWanted: boolean): void {
    if (!isWanted) {
      this.#dns?.close();
      this.#dns = null;
      return;
    }
    const { mesh, demands, own, dnsTotals, log, config } = this.#deps;
    const { network, clusterDomain, preferredNamespace } = config;
    this.#dns ??= servePodDns(this.#inbound.network.sockets, {
      mesh,
      demands,
      totals: dnsTotals,
      log: log.scope('dns'),
      scope: { network, clusterDomain, preferredNamespace, usesIpv6: config.sockets.usesIpv6 },
      client: () => own.wait(),
    });
  }

  /** Stops accepting. Connections end by themselves, when a policy forbids them, or when `abort` is called. */
  drain(): void {
    this.#stop((listener) => {
      listener.drain();
    });
    this.#pool.drain();
  }

  abort(): void {
    this.connections.abort();
    this.#stop((listener) => {
      listener.abort();
    });
    this.#pool.abort();
    // What still waits for something would dial from whichever pod has the descriptor's number next.
    this.#inbound.network.sockets.namespace.close();
  }

  #listenForTunnels(sockets: PodSockets): void {
    const { own } = this.#deps;
    const hboneFd = listenInPod(sockets, INBOUND_HBONE_PORT);
    this.#resources.defer(() => {
      if (this.#hbone === null) closeSocket(hboneFd);
    });
    this.#resources.use(own.watch((workload) => this.#prove(workload, hboneFd)));
    this.#resources.defer(() => this.#certificate?.[Symbol.dispose]());
  }

  #listenForPlain(sockets: PodSockets): void {
    const { hostnames, config } = this.#deps;
    const outboundFd = listenInPod(sockets, OUTBOUND_PORT);
    const tunnels = { pool: this.#pool, dialer: this.#dialer };
    const outbound = { ...this.#inbound, tunnels, hostnames };
    this.#listeners.push(listenOutbound(outboundFd, outbound));
    if (config.servesSocks) {
      const socksFd = listenInPod(sockets, SOCKS_PORT, '127.0.0.1');
      this.#listeners.push(listenSocks(socksFd, { ...outbound, lookUp: this.#lookUp }));
    }
    const plaintextFd = listenInPod(sockets, INBOUND_PLAINTEXT_PORT);
    this.#listeners.push(listenInboundPassthrough(plaintextFd, this.#inbound));
  }

  /** By the pod's DNS proxy, as all its programs do. */
  readonly #lookUp = async (name: string, family: 4 | 6): Promise<string | null> => {
    const dns = this.#dns;
    return dns === null ? null : lookUpAddress((query) => dns.ask(query), name, family);
  };

  /** The pod's identity is what the control plane says it is, trust domain included (spec ztunnel 6.4). */
  #prove(workload: Workload, hboneFd: number): void {
    const identity = formatIdentity(workload);
    if (identity === this.#identity) return;
    this.#identity = identity;
    this.#certificate?.[Symbol.dispose]();
    this.#certificate = this.#deps.certificates.watch(identity, (certificate) => {
      this.#serveHbone(hboneFd, certificate, workload.trustDomain);
    });
  }

  #stop(end: (listener: PodListener) => void): void {
    this.#stopped = true;
    this.serveDns(false);
    this.#resources.dispose();
    for (const listener of this.#listeners) end(listener);
  }

  /** Until there is a certificate, callers wait in the kernel's backlog. */
  #serveHbone(fd: number, certificate: WorkloadCertificate, trustDomain: string): void {
    if (this.#stopped) return;
    if (this.#hbone !== null) {
      this.#hbone.setCertificate(certificate);
      return;
    }
    const pod = { ...this.#inbound, log: this.#deps.log };
    const { config, revocations } = this.#deps;
    const tls = {
      certificate,
      trustDomain,
      tlsRules: config.tls,
      revocations,
      http2: config.http2,
    };
    this.#hbone = listenInbound(fd, pod, tls);
    this.#listeners.push(this.#hbone);
  }
}
