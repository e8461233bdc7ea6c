import { workerData } from 'node:worker_threads';
import { WorkloadStore } from '@aquifer/control-plane-client/store';
import { createLogger, serveThread } from '@aquifer/runtime';
import { describePolicy, describeService, describeWorkload } from '@aquifer/wire';
import { trimMalloc } from '../capture/malloc.ts';
import { NetworkNamespace } from '../capture/netns.ts';
import { DnsTotals } from '../dns/dns-totals.ts';
import { TrafficTotals } from '../telemetry/traffic-totals.ts';
import { ThreadCertificates } from './certificates.ts';
import { PodProxy } from './pod-proxy.ts';
import type {
  ThreadConfig,
  ThreadDump,
  ThreadEvent,
  ThreadMessage,
  ThreadQuestion,
} from './protocol.ts';

/** A policy that a workload lists and that has not come after two of these denies. */
const POLICY_SETTLE_MS = 2000;

/**
 * Entry of a data-plane thread: it holds its own copy of the workload state, its own tunnels and its own listeners,
 * so that nothing on the way of a byte waits for another thread.
 */
class DataPlaneThread {
  readonly #config: ThreadConfig;
  readonly #store = new WorkloadStore();
  readonly #totals = new TrafficTotals();
  readonly #dnsTotals = new DnsTotals();
  readonly #certificates: ThreadCertificates;
  readonly #pods = new Map<string, PodProxy>();
  readonly #log;

  constructor(config: ThreadConfig, send: (event: ThreadEvent) => void) {
    this.#config = config;
    this.#certificates = new ThreadCertificates((identity) => {
      send({ certificateNeeded: identity });
    });
    this.#log = createLogger('proxy', { format: config.logFormat, levels: config.logLevels });
    setInterval(() => this.#settlePolicies(), POLICY_SETTLE_MS).unref();
  }

  receive(message: ThreadMessage): void {
    switch (message.kind) {
      case 'addresses':
        this.#store.applyAddresses(message.batch);
        return;
      case 'policies':
        this.#store.applyPolicies(message.batch);
        return;
      case 'log-levels':
        this.#log.setLevels(message.levels);
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
      case 'dump':
        return this.#dump();
      case 'metrics':
        return { traffic: this.#totals.snapshot(), dns: this.#dnsTotals.all() };
      case 'drain':
        return this.#drain();
      case 'abort':
        return this.#abort();
    }
  }

  #settlePolicies(): void {
    for (const policy of this.#store.settlePolicies()) {
      this.#log.scope('state').warn('a listed policy is not known: it denies', { policy });
    }
  }

  #startPod({ pod, namespaceFd }: Extract<ThreadQuestion, { kind: 'start-pod' }>): void {
    const known = this.#pods.get(pod.uid);
    if (known !== undefined) {
      known.serveDns(pod.captureDns);
      return;
    }
    const proxy = new PodProxy(pod, NetworkNamespace.borrow(namespaceFd), {
      config: this.#config,
      store: this.#store,
      certificates: this.#certificates,
      record: { access: this.#log.scope('access'), totals: this.#totals },
      dnsTotals: this.#dnsTotals,
      log: this.#log,
    });
    this.#pods.set(pod.uid, proxy);
  }

  #stopPod(uid: string): void {
    const proxy = this.#pods.get(uid);
    if (proxy === undefined) return;
    this.#pods.delete(uid);
    proxy.abort();
  }

  #drain(): void {
    for (const proxy of this.#pods.values()) proxy.drain();
  }

  #abort(): void {
    for (const proxy of this.#pods.values()) proxy.abort();
    this.#pods.clear();
  }

  #dump(): ThreadDump {
    return {
      workloads: [...this.#store.allWorkloads()].map(describeWorkload),
      services: [...this.#store.allServices()].map((service) =>
        describeService(service, this.#store.endpoints(`${service.namespace}/${service.hostname}`)),
      ),
      policies: [...this.#store.allPolicies()].map(describePolicy),
      connections: Object.fromEntries(
        [...this.#pods].map(([uid, proxy]) => [uid, proxy.tracker.connections()]),
      ),
    };
  }
}

const thread = new DataPlaneThread(workerData as ThreadConfig, (event) => send(event));
const send = serveThread<ThreadMessage, ThreadQuestion, ThreadEvent>({
  onMessage: (message) => thread.receive(message),
  onQuestion: (question) => thread.answer(question),
  onGivenBack: trimMalloc,
});
