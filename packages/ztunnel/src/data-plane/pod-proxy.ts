import type { WorkloadStore } from '@aquifer/control-plane-client/store';
import { TunnelPool, type WorkloadCertificate } from '@aquifer/hbone';
import { formatIdentity } from '@aquifer/model';
import type { Logger } from '@aquifer/runtime';
import type { SocketAddress } from '@aquifer/wire';
import { ConnectionTracker } from '../authz/connection-tracker.ts';
import { closeSocket } from '../capture/libc.ts';
import type { NetworkNamespace } from '../capture/netns.ts';
import {
  INBOUND_HBONE_PORT,
  INBOUND_PLAINTEXT_PORT,
  OUTBOUND_PORT,
} from '../capture/redirection.ts';
import { listenInPod } from '../capture/sockets.ts';
import type { DnsListener } from '../dns/dns-listener.ts';
import type { DnsTotals } from '../dns/dns-totals.ts';
import { servePodDns } from '../dns/pod-dns.ts';
import { type HboneListener, listenInbound } from '../listeners/inbound.ts';
import { listenInboundPassthrough } from '../listeners/inbound-passthrough.ts';
import { dialHbone, listenOutbound } from '../listeners/outbound.ts';
import type { PodContext, PodListener } from '../listeners/pod-context.ts';
import type { RecordDeps } from '../telemetry/connection-record.ts';
import type { ThreadCertificates } from './certificates.ts';
import { OwnWorkload } from './own-workload.ts';
import type { CapturedPod, ThreadConfig } from './protocol.ts';

export interface PodProxyDeps {
  readonly config: ThreadConfig;
  readonly store: WorkloadStore;
  readonly certificates: ThreadCertificates;
  readonly record: RecordDeps;
  readonly dnsTotals: DnsTotals;
  readonly log: Logger;
}

/** The proxy of one captured pod on one thread: its listeners, its tunnels, its open connections. */
export class PodProxy {
  readonly tracker: ConnectionTracker;
  readonly #pod: CapturedPod;
  readonly #namespace: NetworkNamespace;
  readonly #deps: PodProxyDeps;
  readonly #workload: OwnWorkload;
  readonly #pool: TunnelPool;
  readonly #listeners: PodListener[] = [];
  readonly #resources = new DisposableStack();
  readonly #policyWatch: Disposable;
  #hbone: HboneListener | null = null;
  #dns: DnsListener | null = null;
  #stopped = false;
  #aborted = false;

  /** Binds all three ports at once; throws if one is taken, leaving none behind. */
  constructor(pod: CapturedPod, namespace: NetworkNamespace, deps: PodProxyDeps) {
    this.#pod = pod;
    this.#namespace = namespace;
    this.#deps = deps;
    const { poolMaxStreams: maxStreams, poolIdleMs: idleMs } = deps.config;
    const dialer = {
      secureContext: (identity: string) => deps.certificates.context(identity),
      dial: (hop: SocketAddress) => dialHbone(namespace, hop),
    };
    this.#pool = new TunnelPool({ dialer, maxStreams, idleMs });
    this.#workload = new OwnWorkload(deps.store, pod);
    this.tracker = new ConnectionTracker(deps.store, () => this.#workload.current());
    this.#policyWatch = deps.store.onChange((change) => {
      this.tracker.reevaluate(change);
    });
    const context = this.#context();
    try {
      this.#listen(context);
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
    const { store, dnsTotals, log, config } = this.#deps;
    const { network, clusterDomain, preferredNamespace } = config;
    this.#dns ??= servePodDns(this.#namespace, {
      view: store,
      totals: dnsTotals,
      log: log.scope('dns'),
      scope: { network, clusterDomain, preferredNamespace },
      client: () => this.#workload.wait(),
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
    this.#aborted = true;
    this.#stop((listener) => {
      listener.abort();
    });
    this.#pool.abort();
    this.#policyWatch[Symbol.dispose]();
  }

  #listen(context: PodContext): void {
    const hboneFd = listenInPod(this.#namespace, INBOUND_HBONE_PORT);
    this.#resources.defer(() => {
      if (this.#hbone === null) closeSocket(hboneFd);
    });
    const outboundFd = listenInPod(this.#namespace, OUTBOUND_PORT);
    this.#listeners.push(listenOutbound(outboundFd, context, this.#pool));
    const plaintextFd = listenInPod(this.#namespace, INBOUND_PLAINTEXT_PORT);
    this.#listeners.push(listenInboundPassthrough(plaintextFd, context));
    this.#resources.use(
      this.#deps.certificates.watch(formatIdentity(this.#identity()), (certificate) => {
        this.#serveHbone(hboneFd, context, certificate);
      }),
    );
  }

  #stop(end: (listener: PodListener) => void): void {
    this.#stopped = true;
    this.serveDns(false);
    this.#resources.dispose();
    for (const listener of this.#listeners) end(listener);
  }

  /** Until there is a certificate, callers wait in the kernel's backlog. */
  #serveHbone(fd: number, context: PodContext, certificate: WorkloadCertificate): void {
    if (this.#stopped) return;
    if (this.#hbone !== null) {
      this.#hbone.setCertificate(certificate);
      return;
    }
    const { trustDomain } = this.#deps.config;
    this.#hbone = listenInbound(fd, context, { certificate, trustDomain });
    this.#listeners.push(this.#hbone);
  }

  #context(): PodContext {
    const { config, store, record, log } = this.#deps;
    return {
      pod: this.#pod,
      namespace: this.#namespace,
      store,
      tracker: this.tracker,
      record,
      log,
      network: config.network,
      preserveSource: config.preserveSource,
      isAborted: () => this.#aborted,
      workload: () => this.#workload.wait(),
    };
  }

  #identity() {
    const { namespace, serviceAccount } = this.#pod;
    return { trustDomain: this.#deps.config.trustDomain, namespace, serviceAccount };
  }
}
