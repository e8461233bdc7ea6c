import { once } from 'node:events';
import type { Server } from 'node:net';
import { workerData } from 'node:worker_threads';
import {
  type ConnectListener,
  type HboneSecureContext,
  hboneSecureContext,
  type WorkloadCertificate,
} from '@aquifer/hbone';
import { canonicalIpAddress } from '@aquifer/model';
import { createLogger, serveThread, stdoutWriter } from '@aquifer/runtime';
import { ClusterManager } from '../clusters/cluster-manager.ts';
import { boundListener } from '../listeners/bound-listener.ts';
import { dispatch } from '../listeners/dispatch.ts';
import { terminateHbone } from '../listeners/hbone-terminate.ts';
import type { EngineDeps } from '../request/engine.ts';
import { TimerWheel } from '../request/timer-wheel.ts';
import { Exporters } from '../telemetry/exporters.ts';
import { stderrWriter } from '../telemetry/log-sinks.ts';
import { RequestTelemetry, type TelemetrySinks } from '../telemetry/request-telemetry.ts';
import type { SourcePeer } from '../telemetry/source-peer.ts';
import { Dialer } from '../upstream/dialer.ts';
import type { ThreadConfig, ThreadEvent, ThreadMessage, ThreadQuestion } from './protocol.ts';
import { RESOURCES } from './resources.ts';
import { CHANGE_SPREADS_MS, ServedConfig } from './snapshot.ts';

const NOBODY: SourcePeer = {
  principal: '',
  workload: null,
  namespace: null,
  canonicalName: null,
  canonicalRevision: null,
  cluster: null,
};

/** Entry of a data-plane thread: its own configuration, connections and counters. */
class WaypointThread {
  readonly #config: ThreadConfig;
  readonly #log;
  readonly #dialer: Dialer;
  readonly #served: ServedConfig;
  readonly #deps: EngineDeps;
  readonly #exporters: Exporters;
  readonly #servers = new Map<string, Server>();
  #certificate: WorkloadCertificate | null = null;
  #secureContext: HboneSecureContext | null = null;
  #hbone: ConnectListener | null = null;

  constructor(config: ThreadConfig) {
    this.#config = config;
    const write = stdoutWriter(config.logFormat);
    this.#log = createLogger('waypoint', {
      format: config.logFormat,
      levels: config.logLevels,
      write,
    });
    this.#dialer = new Dialer({
      secureContext: () => this.#secureContext,
      trustedPrefixes: () => this.#served.clusters.trustedPrefixes,
      baggage: config.baggage,
    });
    this.#served = new ServedConfig(new ClusterManager(this.#dialer));
    const timers = new TimerWheel();
    this.#exporters = new Exporters({
      node: config.node,
      clusters: this.#served.clusters,
      timers,
      onLoss: (cluster, items) =>
        this.#log.warn('a collector took no spans or records', { cluster, items }),
    });
    const sinks: TelemetrySinks = {
      stdout: write,
      stderr: stderrWriter(() => this.#log.warn('nobody reads standard error: lines are lost')),
      records: (collector, record) => this.#exporters.send(collector, record),
      spans: (collector, span) => this.#exporters.send(collector, span),
    };
    this.#deps = {
      config: this.#served,
      timers,
      telemetry: new RequestTelemetry(sinks, config.node),
      connections: new Set(),
    };
  }

  receive(message: ThreadMessage): void {
    if (message.kind === 'certificate') {
      this.#certificate = message.certificate;
      this.#secureContext = hboneSecureContext(message.certificate);
      this.#hbone?.setCertificate(message.certificate);
      return;
    }
    if (message.kind === 'log-levels') {
      this.#log.setLevels(message.levels);
      return;
    }
    const handler = RESOURCES[message.type];
    for (const name of message.removed) handler.remove(this.#served, name);
    for (const { body } of message.upserts) handler.upsert(this.#served, body);
    if (message.type !== 'listener') return;
    if (this.#config.bindsListeners) this.#bindListeners();
    this.#judgeAgain();
    // By then what was replaced serves nobody any more.
    setTimeout(() => this.#judgeAgain(), CHANGE_SPREADS_MS).unref();
  }

  answer({ kind }: ThreadQuestion): unknown {
    switch (kind) {
      case 'listen':
        return this.#listen();
      case 'metrics':
        return this.#deps.telemetry.snapshot();
      case 'passed':
        return this.#deps.telemetry.passed.snapshot();
      case 'clusters':
        return this.#served.clusters.statuses();
      case 'busy-connections':
        return [...this.#deps.connections].filter(({ isBusy }) => isBusy).length;
      case 'announce-end':
        this.#served.isEnding = true;
        return null;
      case 'drain':
        return this.#drain();
      case 'close-idle':
        for (const connection of this.#deps.connections) {
          connection.endUpgrades();
          connection.closeIfIdle();
        }
        this.#exporters.flush();
        return null;
    }
  }

  /** Starts serving tunnels; there is a certificate by now. */
  async #listen(): Promise<void> {
    if (this.#hbone !== null || this.#certificate === null) return;
    const { trustDomain, hbonePort } = this.#config;
    this.#hbone = terminateHbone({
      certificate: this.#certificate,
      trustDomain,
      deps: this.#deps,
      log: this.#log,
    });
    this.#hbone.server.listen({ port: hbonePort, reusePort: true });
    await once(this.#hbone.server, 'listening');
  }

  #judgeAgain(): void {
    for (const connection of this.#deps.connections) connection.judgeAgain();
  }

  #bindListeners(): void {
    for (const listener of this.#served.listeners.values()) {
      if (listener.address === null || this.#servers.has(listener.name)) continue;
      const { ip: host, port } = listener.address;
      const server = boundListener(listener.tls, (socket, principal) => {
        const current = this.#served.listeners.get(listener.name);
        const client = address(socket.remoteAddress, socket.remotePort);
        const destination = address(socket.localAddress, socket.localPort);
        const choice = current?.choose(destination.ip, destination.port) ?? null;
        socket.on('error', () => socket.destroy());
        if (choice === null) socket.destroy();
        else {
          const source = { ...NOBODY, principal };
          const info = { listener: listener.name, source, client, destination };
          void dispatch(socket, choice, info, this.#deps);
        }
      });
      server.listen({ host, port, reusePort: true });
      this.#servers.set(listener.name, server);
    }
  }

  /** Requests under way finish; tunnels say that they go away. */
  #drain(): void {
    for (const server of this.#servers.values()) server.close();
    for (const connection of this.#deps.connections) connection.drain();
    this.#hbone?.drain();
  }
}

function address(ip: string | undefined, port: number | undefined): { ip: string; port: number } {
  return { ip: canonicalIpAddress(ip ?? '') ?? '', port: port ?? 0 };
}

const thread = new WaypointThread(workerData as ThreadConfig);
serveThread<ThreadMessage, ThreadQuestion, ThreadEvent>({
  onMessage: (message) => thread.receive(message),
  onQuestion: (question) => thread.answer(question),
});
