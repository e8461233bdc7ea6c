import { workerData } from 'node:worker_threads';
import { SnapshotReader } from '@aquifer/control-plane-client/snapshot';
import { Revocations } from '@aquifer/hbone';
import { createLogger, serveThread, TimeSlice } from '@aquifer/runtime';
import { trimMalloc } from '../capture/malloc.ts';
import { NetworkNamespace } from '../capture/netns.ts';
import { ThreadDemands } from '../demand/thread-demands.ts';
import { DnsTotals } from '../dns/dns-totals.ts';
import { HostnameResolver } from '../listeners/hostname-resolver.ts';
import { DecisionLog } from '../policy/decision-log.ts';
import { OwnPod } from '../policy/own-pod.ts';
import { PolicyTable } from '../policy/policy-table.ts';
import { Rejudgement } from '../policy/rejudgement.ts';
import { PeerBaggage } from '../telemetry/peer-baggage.ts';
import { OpenSockets, TrafficTotals } from '../telemetry/traffic-totals.ts';
import { ThreadCertificates } from './certificates.ts';
import { PodProxy } from './pod-proxy.ts';
import type {
  ConnectionsAnswer,
  OwnPodState,
  ThreadConfig,
  ThreadEvent,
  ThreadMessage,
  ThreadQuestion,
  ThreadStart,
} from './thread-messages.ts';

const SLICE_MS = 5;

/** A pod that is captured, or about to be. */
interface ThreadPod {
  readonly own: OwnPod;
  readonly proxy: PodProxy;
}

/**
 * Entry of a data-plane thread: it has its own tunnels and its own listeners, and reads the state of the mesh from memory
 * that all threads share, so that nothing on the way of a byte waits for another thread.
 */
class DataPlaneThread {
  readonly #config: ThreadConfig;
  readonly #mesh = new SnapshotReader();
  readonly #policies = new PolicyTable();
  readonly #rejudgement = new Rejudgement();
  readonly #totals: TrafficTotals;
  readonly #dnsTotals = new DnsTotals();
  readonly #hostnames: HostnameResolver;
  readonly #certificates: ThreadCertificates;
  readonly #baggage: PeerBaggage | null;
  readonly #revocations: Revocations | null;
  readonly #demands: ThreadDemands | null;
  readonly #pods = new Map<string, ThreadPod>();
  /** What is known of pods, also before they are started. */
  readonly #states = new Map<string, OwnPodState>();
  readonly #log;
  readonly #decisions: DecisionLog;

  constructor({ config, openSockets }: ThreadStart, send: (event: ThreadEvent) => void) {
    this.#config = config;
    this.#totals = new TrafficTotals(new OpenSockets(openSockets), (series) => {
      send({ kind: 'series', ...series });
    });
    this.#hostnames = new HostnameResolver(config.sockets.usesIpv6, (source, hostname) =>
      this.#dnsTotals.resolved(source, hostname),
    );
    this.#certificates = new ThreadCertificates(config.tls, (identity) => {
      send({ kind: 'certificate-needed', identity });
    });
    this.#baggage = config.exchangesBaggage ? new PeerBaggage() : null;
    this.#demands =
      config.discovery === 'on-demand' ? new ThreadDemands({ mesh: this.#mesh, send }) : null;
    this.#revocations = config.checksRevocation ? revocationsTelling(send) : null;
    this.#log = createLogger('proxy', { format: config.logFormat, levels: config.logLevels });
    this.#decisions = new DecisionLog(this.#log.scope('rbac'), config.decisionLevel);
  }

  receive(message: ThreadMessage): void {
    switch (message.kind) {
      case 'policies':
        this.#policies.add(message.added);
        return;
      case 'state':
        this.#takeOver(message);
        return;
      case 'demands':
        this.#demands?.hear(message);
        return;
      case 'log-levels':
        this.#log.setLevels(message.levels);
        return;
      case 'revocations':
        this.#revocations?.replace(message.lists);
        return;
      case 'certificate':
        this.#certificates.update(message.identity, message.update);
        return;
    }
  }

  answer(question: ThreadQuestion): unknown {
    switch (question.kind) {
      case 'start-pod':
        return this.#startPod(question);
      case 'stop-pod':
        return this.#stopPod(question.uid);
      case 'connections':
        return this.#connections();
      case 'dns-readings':
        return this.#dnsTotals.all();
      case 'drain':
        return this.#drain();
      case 'abort':
        return this.#abort();
    }
  }

  #takeOver({ delta, pods, removedPolicies }: Extract<ThreadMessage, { kind: 'state' }>): void {
    if (delta !== null) this.#mesh.apply(delta);
    for (const state of pods) {
      this.#states.set(state.uid, state);
      const pod = this.#pods.get(state.uid);
      if (pod !== undefined) this.#tell(pod, state);
    }
    this.#policies.remove(removedPolicies);
  }

  #tell({ own, proxy }: ThreadPod, { workload, policies }: OwnPodState): void {
    const before = own.policies;
    own.update(workload, this.#policies.combine(policies));
    if (before !== null && before !== own.policies) this.#rejudgement.request(proxy.connections);
  }

  #startPod({ pod, namespaceFd }: Extract<ThreadQuestion, { kind: 'start-pod' }>): void {
    const known = this.#pods.get(pod.uid);
    if (known !== undefined) {
      known.proxy.serveDns(pod.captureDns);
      return;
    }
    const own = new OwnPod(pod);
    const proxy = new PodProxy(pod, NetworkNamespace.borrow(namespaceFd), {
      config: this.#config,
      mesh: this.#mesh,
      demands: this.#demands,
      own,
      certificates: this.#certificates,
      revocations: this.#revocations,
      record: { access: this.#log.scope('access'), totals: this.#totals },
      baggage: this.#baggage,
      decisions: this.#decisions,
      dnsTotals: this.#dnsTotals,
      hostnames: this.#hostnames,
      log: this.#log,
    });
    this.#pods.set(pod.uid, { own, proxy });
    const state = this.#states.get(pod.uid);
    if (state !== undefined) this.#tell({ own, proxy }, state);
  }

  #stopPod(uid: string): void {
    this.#states.delete(uid);
    const pod = this.#pods.get(uid);
    this.#pods.delete(uid);
    pod?.proxy.abort();
  }

  #drain(): void {
    for (const { proxy } of this.#pods.values()) proxy.drain();
  }

  #abort(): void {
    for (const { proxy } of this.#pods.values()) proxy.abort();
    this.#pods.clear();
  }

  async #connections(): Promise<ConnectionsAnswer> {
    const slice = new TimeSlice(SLICE_MS);
    const answer: Record<string, ConnectionsAnswer[string]> = {};
    for (const [uid, { proxy }] of this.#pods) {
      answer[uid] = await proxy.connections.describe(slice);
    }
    return answer;
  }
}

function revocationsTelling(send: (event: ThreadEvent) => void): Revocations {
  const reporters = { server: 'source', client: 'destination' } as const;
  return new Revocations({
    onRejected: (role) => send({ kind: 'revocation-rejected', reporter: reporters[role] }),
    onUntracked: (role) => send({ kind: 'revocation-untracked', reporter: reporters[role] }),
  });
}

const thread = new DataPlaneThread(workerData as ThreadStart, (event) => send(event));
const send = serveThread<ThreadMessage, ThreadQuestion, ThreadEvent>({
  onMessage: (message) => thread.receive(message),
  onQuestion: (question) => thread.answer(question),
  onGivenBack: trimMalloc,
});
