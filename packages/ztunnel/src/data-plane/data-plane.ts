import { setTimeout as delay } from 'node:timers/promises';
import type { DemandChange, RejectedResource, ResourceBatch } from '@aquifer/control-plane-client';
import { type StoreChange, WorkloadStore } from '@aquifer/control-plane-client/store';
import type { RevocationList } from '@aquifer/hbone';
import { type Logger, ThreadPool } from '@aquifer/runtime';
import type { OpenConnection } from '../connections/open-connections.ts';
import type { MeshDemands } from '../demand/mesh-demands.ts';
import type { DnsReadings } from '../dns/dns-totals.ts';
import type { CapturedPod } from '../policy/captured-pod.ts';
import { OwnPods } from '../policy/own-pods.ts';
import { TrafficReadings } from '../telemetry/traffic-totals.ts';
import type { CertificateUpdate } from './certificates.ts';
import { LocalIdentities } from './local-identities.ts';
import type {
  ConnectionsAnswer,
  PodConnections,
  RevocationEvent,
  ThreadConfig,
  ThreadEvent,
  ThreadMessage,
  ThreadQuestion,
} from './thread-messages.ts';

/** Connections end within milliseconds; log lines are written after 20 more. */
const LAST_LINES_MS = 50;
/** A policy that a workload lists and that has not come after two of these denies. */
const POLICY_SETTLE_MS = 2000;
/** Compiled by a thread within a few milliseconds. */
const POLICIES_PER_MESSAGE = 50;

export interface DataPlaneConfig extends ThreadConfig {
  readonly clusterId: string;
  readonly nodeName: string;
}

export interface DataPlaneOptions {
  readonly threads: number;
  readonly config: DataPlaneConfig;
  readonly log: Logger;
  /** Where the mesh is known on demand. Default null. */
  readonly demands?: MeshDemands | null;
  /** A thread needs a certificate for an identity. */
  readonly onCertificateNeeded: (identity: string) => void;
  /** These identities are in use on the node, and no others; called when that has changed. */
  readonly onIdentities: (identities: ReadonlySet<string>) => void;
  readonly onRevocation: (event: RevocationEvent) => void;
  /** A thread ended although nobody asked it to. */
  readonly onThreadLost: (error: Error) => void;
}

/**
 * The state of the mesh and the data-plane threads, seen from the main thread. It decodes, selects and counts; threads
 * get snapshots, what concerns their own pods, and certificates. What is sent reaches every thread, in order.
 */
export class DataPlane {
  readonly store: WorkloadStore;
  readonly traffic: TrafficReadings = new TrafficReadings();
  readonly #options: DataPlaneOptions;
  readonly #threads: ThreadPool<ThreadMessage, ThreadQuestion, ThreadEvent>;
  readonly #own: OwnPods;
  readonly #local: LocalIdentities;
  readonly #demands: MeshDemands | null;
  readonly #settling: NodeJS.Timeout;
  #identities: ReadonlySet<string> = new Set();

  constructor(options: DataPlaneOptions) {
    const { config, threads } = options;
    this.#options = options;
    this.#local = new LocalIdentities(config.nodeName);
    this.store = new WorkloadStore({
      onWorkload: (before, after) => {
        this.#local.follow(before, after);
        this.#demands?.followWorkload(before, after);
      },
    });
    this.#demands = options.demands ?? null;
    this.#demands?.names.onChange((change) => this.#passOnDemands(change));
    this.store.onChange((change) => this.#passOn(change));
    this.#own = new OwnPods(this.store, config);
    this.#threads = new ThreadPool({
      script: new URL('./thread.ts', import.meta.url),
      threads,
      workerData: { config, openSockets: this.traffic.openSockets.buffer },
      onEvent: (event) => this.#hear(event),
      onLost: options.onThreadLost,
    });
    this.#settling = setInterval(() => this.#settlePolicies(), POLICY_SETTLE_MS).unref();
  }

  applyAddresses(batch: ResourceBatch): Promise<readonly RejectedResource[]> {
    return this.store.applyAddresses(batch);
  }

  applyPolicies(batch: ResourceBatch): Promise<readonly RejectedResource[]> {
    return this.store.applyPolicies(batch);
  }

  /** As `RUST_LOG`. */
  setLogLevels(levels: string): void {
    this.#threads.tell({ kind: 'log-levels', levels });
  }

  updateCertificate(identity: string, update: CertificateUpdate): void {
    this.#threads.tell({ kind: 'certificate', identity, update });
  }

  /** In place of those before; open connections that they forbid end. */
  updateRevocations(lists: readonly RevocationList[]): void {
    this.#threads.tell({ kind: 'revocations', lists });
  }

  /** Binds the pod's listeners on every thread; if one fails, none keeps them. */
  async startPod(pod: CapturedPod, namespaceFd: number): Promise<void> {
    this.#own.add(pod);
    this.#demands?.followPod(pod);
    this.#passOn(null);
    try {
      await this.#threads.ask({ kind: 'start-pod', pod, namespaceFd });
    } catch (error) {
      await this.stopPod(pod.uid);
      throw error;
    }
  }

  /** Ends everything of the pod. */
  async stopPod(uid: string): Promise<void> {
    const pod = this.#own.remove(uid);
    if (pod !== null) this.#demands?.leavePod(pod);
    await this.#threads.ask({ kind: 'stop-pod', uid });
    this.#passOn(null);
  }

  /** Open connections by pod uid. */
  async connections(): Promise<Readonly<Record<string, PodConnections>>> {
    const answers = (await this.#threads.ask({ kind: 'connections' })) as ConnectionsAnswer[];
    const open: Record<string, { inbound: OpenConnection[]; outbound: OpenConnection[] }> = {};
    for (const [uid, { inbound, outbound }] of answers.flatMap(
      Object.entries<ConnectionsAnswer[string]>,
    )) {
      open[uid] ??= { inbound: [], outbound: [] };
      for (const text of inbound) open[uid].inbound.push(...parseConnections(text));
      for (const text of outbound) open[uid].outbound.push(...parseConnections(text));
    }
    return open;
  }

  /** What the DNS proxies of all threads have counted. */
  async dnsReadings(): Promise<readonly DnsReadings[]> {
    return (await this.#threads.ask({ kind: 'dns-readings' })) as DnsReadings[];
  }

  async drain(): Promise<void> {
    await this.#threads.ask({ kind: 'drain' });
  }

  /** Ends every connection, each with its line in the access log, and then the threads. */
  async stop(): Promise<void> {
    clearInterval(this.#settling);
    await this.#threads.ask({ kind: 'abort' });
    await delay(LAST_LINES_MS);
    await this.#threads.stop();
  }

  #hear(event: ThreadEvent): void {
    switch (event.kind) {
      case 'certificate-needed':
        this.#options.onCertificateNeeded(event.identity);
        return;
      case 'revocation-rejected':
      case 'revocation-untracked':
        this.#options.onRevocation(event);
        return;
      case 'names-missing':
      case 'names-used':
        this.#demands?.hear(event);
        return;
      case 'series':
        this.traffic.add(event);
        return;
    }
  }

  /** One message for a whole change; policies that it names go ahead. */
  #passOn(change: StoreChange | null): void {
    const { added, pods, removed } = this.#own.changes();
    for (let at = 0; at < added.length; at += POLICIES_PER_MESSAGE) {
      const some = added.slice(at, at + POLICIES_PER_MESSAGE);
      this.#threads.tell({ kind: 'policies', added: some });
    }
    const delta = change?.kind === 'snapshot' ? change.delta : null;
    if (delta !== null || pods.length > 0 || removed.length > 0) {
      this.#threads.tell({ kind: 'state', delta, pods, removedPolicies: removed });
    }
    this.#announceIdentities();
  }

  /** Behind the state with the answers, which threads have heard of then. */
  #passOnDemands(change: DemandChange): void {
    this.#threads.tell({ kind: 'demands', ...change });
    if (change.dropped.length > 0) void this.#demands?.forgetUnwanted(this.store);
  }

  #announceIdentities(): void {
    const identities = new Set([...this.#own.identities(), ...this.#local.all()]);
    if (identities.symmetricDifference(this.#identities).size === 0) return;
    this.#identities = identities;
    this.#options.onIdentities(identities);
  }

  #settlePolicies(): void {
    for (const policy of this.store.settlePolicies()) {
      this.#options.log.warn('a listed policy is not known: it denies', { policy });
    }
  }
}

function parseConnections(text: string): OpenConnection[] {
  return JSON.parse(text) as OpenConnection[];
}
