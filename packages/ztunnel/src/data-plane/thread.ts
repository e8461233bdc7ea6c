import { parentPort, workerData } from 'node:worker_threads';
import { WorkloadStore } from '@aquifer/control-plane-client';
import { createLogger } from '@aquifer/runtime';
import { describePolicy, describeService, describeWorkload } from '@aquifer/wire';
import { NetworkNamespace } from '../capture/netns.ts';
import { TrafficTotals } from '../telemetry/traffic-totals.ts';
import { ThreadCertificates } from './certificates.ts';
import { PodProxy } from './pod-proxy.ts';
import type { FromThread, ThreadConfig, ThreadDump, ToThread } from './protocol.ts';

/**
 * Entry of a data-plane thread: it holds its own copy of the workload state, its own tunnels and its own listeners,
 * so that nothing on the way of a byte waits for another thread.
 */
class DataPlaneThread {
  readonly #config: ThreadConfig;
  readonly #store = new WorkloadStore();
  readonly #totals = new TrafficTotals();
  readonly #certificates = new ThreadCertificates((identity) => {
    this.#send({ kind: 'certificate-needed', identity });
  });
  readonly #pods = new Map<string, PodProxy>();
  readonly #log;

  constructor(config: ThreadConfig) {
    this.#config = config;
    this.#log = createLogger('proxy', { format: config.logFormat, levels: config.logLevels });
  }

  receive(message: ToThread): void {
    switch (message.kind) {
      case 'addresses':
        this.#store.applyAddresses(message.batch);
        return;
      case 'policies':
        this.#store.applyPolicies(message.batch);
        return;
      case 'certificate':
        this.#certificates.update(message.identity, message.update);
        return;
      case 'start-pod':
        this.#answer(message.id, () => this.#startPod(message));
        return;
      case 'stop-pod':
        this.#answer(message.id, () => this.#stopPod(message.uid, message.graceful));
        return;
      case 'dump':
        this.#answer(message.id, () => this.#dump());
        return;
      case 'metrics':
        this.#answer(message.id, () => this.#totals.snapshot());
        return;
      case 'drain':
        this.#answer(message.id, () => this.#drain());
        return;
    }
  }

  #answer(id: number, action: () => unknown): void {
    try {
      this.#send({ kind: 'answer', id, result: { ok: true, value: action() ?? null } });
    } catch (error) {
      this.#send({ kind: 'answer', id, result: { ok: false, error: (error as Error).message } });
    }
  }

  #startPod({ pod, namespaceFd }: Extract<ToThread, { kind: 'start-pod' }>): void {
    if (this.#pods.has(pod.uid)) return;
    const proxy = new PodProxy(pod, NetworkNamespace.borrow(namespaceFd), {
      config: this.#config,
      store: this.#store,
      certificates: this.#certificates,
      record: { access: this.#log.scope('access'), totals: this.#totals },
      log: this.#log,
    });
    this.#pods.set(pod.uid, proxy);
  }

  #stopPod(uid: string, graceful: boolean): void {
    const proxy = this.#pods.get(uid);
    if (proxy === undefined) return;
    if (graceful) {
      proxy.drain();
      return;
    }
    this.#pods.delete(uid);
    proxy.abort();
  }

  #drain(): void {
    for (const proxy of this.#pods.values()) proxy.drain();
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

  #send(message: FromThread): void {
    parentPort?.postMessage(message);
  }
}

const thread = new DataPlaneThread(workerData as ThreadConfig);
parentPort?.on('message', (message: ToThread) => {
  thread.receive(message);
});
