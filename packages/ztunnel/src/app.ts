import { setTimeout as delay } from 'node:timers/promises';
import {
  CertificateManager,
  type CertificateState,
  CsrClient,
} from '@aquifer/control-plane-client';
import {
  type HttpHandler,
  type HttpRoutes,
  type Logger,
  Readiness,
  redactConfig,
  serveHttp,
} from '@aquifer/runtime';
import { adminPages } from './admin/admin-pages.ts';
import { renderConfigDump } from './admin/config-dump.ts';
import { LogFilter } from './admin/log-filter.ts';
import { meshDump } from './admin/mesh-dump.ts';
import { NetworkNamespace } from './capture/netns.ts';
import {
  authorityOf,
  dataPlaneConfigOf,
  discoveryOf,
  drainDeadlineMs,
  releaseDeadlineMs,
  startGateOf,
  threadsOf,
  zdsPathOf,
} from './config/derived.ts';
import { ZTUNNEL_CONFIG, type ZtunnelConfig } from './config/keys.ts';
import { DataPlane } from './data-plane/data-plane.ts';
import { MeshDemands } from './demand/mesh-demands.ts';
import { followMesh } from './mesh.ts';
import { DedicatedPod } from './node/dedicated-pod.ts';
import { NodeAgent } from './node/node-agent.ts';
import type { PodLifecycle } from './node/pod-lifecycle.ts';
import { RevocationFile } from './revocation-file.ts';
import { ControlMetrics, exposeMetrics } from './telemetry/metrics-exposition.ts';
import { ZdsLifecycle } from './zds/zds-lifecycle.ts';

const OPEN_METRICS = 'application/openmetrics-text';

/** A running node proxy. */
export interface Ztunnel {
  readonly ports: { readonly admin: number; readonly stats: number; readonly readiness: number };
  /** Lets connections finish until the deadline, then ends everything. */
  drain(): Promise<void>;
  /** Rejects if a data-plane thread is lost: the process cannot serve without it. */
  readonly failed: Promise<never>;
}

/** Wires all parts and binds every server before anything is served. */
export async function startZtunnel(config: ZtunnelConfig, log: Logger): Promise<Ztunnel> {
  const failed = Promise.withResolvers<never>();
  const readiness = new Readiness(['state manager', 'proxy', 'workload proxy manager']);
  const logFilter = new LogFilter(config.logLevels);
  const metrics = new ControlMetrics(config.versionTag);
  const csr = new CsrClient({
    endpoint: authorityOf(config),
    ttlSeconds: config.certificateTtlMs / 1000,
    // A dedicated proxy asks with its workload's own token.
    impersonate: config.proxyMode === 'shared',
  });
  const certificates = new CertificateManager({
    sign: (identity) => csr.sign(identity),
    log: log.scope('ca'),
    onChange: (identity, state) => {
      passOn(dataPlane, identity, state);
    },
    onForgotten: (identity) => {
      dataPlane.updateCertificate(identity, { kind: 'forgotten' });
    },
  });
  const dataPlaneConfig = dataPlaneConfigOf(config);
  const demands =
    dataPlaneConfig.discovery === 'on-demand' ? new MeshDemands(dataPlaneConfig) : null;
  const dataPlane = new DataPlane({
    threads: threadsOf(config),
    config: dataPlaneConfig,
    demands,
    log: log.scope('state'),
    onIdentities: (identities) => {
      certificates.keepOnly(identities);
    },
    onCertificateNeeded: (identity) => {
      // Known already: this thread asked after the answer went round.
      const state = certificates.states().get(identity);
      certificates.want(identity, 'connection');
      if (state !== undefined) passOn(dataPlane, identity, state);
    },
    onRevocation: ({ kind, reporter }) => {
      const isRejected = kind === 'revocation-rejected';
      (isRejected ? metrics.revocationRejections : metrics.revocationUntracked).inc({ reporter });
    },
    onThreadLost: (error) => {
      failed.reject(error);
    },
  });
  const revocations = followRevocations(config, dataPlane, log);
  const pods = podLifecycle(config, {
    dataPlane,
    log: log.scope('inpod'),
    onSettled: (isSettled) => {
      if (isSettled) readiness.done('workload proxy manager');
      else readiness.pending('workload proxy manager');
    },
  });
  const mesh = await followMesh(config, {
    dataPlane,
    demands,
    subscriptions: pods.subscriptions,
    log,
    metrics,
    onSynced: () => {
      readiness.done('state manager');
      pods.start();
      serveOwnPod(config, dataPlane, log.scope('inpod'));
    },
  });
  const servers = await bindServers(config, {
    readiness: readiness.handler,
    metrics: async ({ headers }) => ({
      status: 200,
      ...(headers.accept?.includes(OPEN_METRICS) && {
        contentType: `${OPEN_METRICS};charset=utf-8;version=1.0.0`,
      }),
      body: await exposeMetrics(metrics, dataPlane.traffic, await dataPlane.dnsReadings()),
    }),
    admin: adminPages({
      logFilter,
      onLevelsChanged: () => {
        log.setLevels(logFilter.scopes);
        dataPlane.setLogLevels(logFilter.scopes);
        log.scope('telemetry').info(`new log filter is ${logFilter.text}`);
      },
      onQuit: () => process.kill(process.pid, 'SIGTERM'),
      configDump: async () => ({
        status: 200,
        contentType: 'application/json',
        body: await renderConfigDump({
          mesh: await meshDump(dataPlane.store),
          local: mesh.local,
          connections: await dataPlane.connections(),
          certificates: certificates.states(),
          pods: pods.pods(),
          config: redactConfig(ZTUNNEL_CONFIG, config),
          version: config.versionTag,
        }),
      }),
    }),
  });
  readiness.done('proxy');
  mesh.start();
  return {
    ports: servers.ports,
    failed: failed.promise,
    drain: async () => {
      servers.close();
      pods.stop();
      await dataPlane.drain();
      // Policies are followed to the end: what one forbids does not go on because its proxy is being replaced.
      await untilIdle(dataPlane, drainDeadlineMs(config));
      mesh.stop();
      revocations?.stop();
      certificates.stop();
      csr.close();
      await dataPlane.stop();
    },
  };
}

/** Before the first pod is served; null if nothing can be revoked. */
function followRevocations(
  { revocationPath: path }: ZtunnelConfig,
  dataPlane: DataPlane,
  log: Logger,
): RevocationFile | null {
  if (path === null) return null;
  return new RevocationFile(path, {
    log: log.scope('tls'),
    onLists: (lists) => dataPlane.updateRevocations(lists),
  });
}

/** Where the proxy learns which pods to serve. */
function podLifecycle(
  config: ZtunnelConfig,
  deps: {
    readonly dataPlane: DataPlane;
    readonly log: Logger;
    readonly onSettled: (isSettled: boolean) => void;
  },
): PodLifecycle {
  const { dedicatedWorkload, captureDns } = config;
  if (dedicatedWorkload !== null)
    return new DedicatedPod({ ...deps, workload: dedicatedWorkload, captureDns });
  const path = zdsPathOf(config);
  if (path !== null) return new ZdsLifecycle({ ...deps, path, captureDns });
  const endpoint = discoveryOf(config);
  if (endpoint === null) throw new Error('nobody says which pods to serve');
  return new NodeAgent({
    ...deps,
    captureDns,
    startGate: startGateOf(config),
    endpoint,
    node: config.nodeName,
    procPath: config.procPath,
    drainDeadlineMs: releaseDeadlineMs(config),
    onFirstSnapshotTried: () => deps.onSettled(true),
  });
}

/** In shared mode the mesh reaches the proxy's own pod, and its metrics, as it reaches captured pods (spec ztunnel 4.5). */
function serveOwnPod(config: ZtunnelConfig, dataPlane: DataPlane, log: Logger): void {
  const { proxyMode, podName: name, podNamespace: namespace, serviceAccount } = config;
  const isKnown = name !== '' && namespace !== '' && serviceAccount !== '';
  if (proxyMode !== 'shared' || !isKnown) return;
  const pod = { uid: 'self', namespace, name, serviceAccount, captureDns: false, isProxy: true };
  const { fd } = NetworkNamespace.open('/proc/self/ns/net');
  dataPlane.startPod(pod, fd).catch((error: unknown) => {
    log.error("the proxy's own pod takes no tunnels", { error: String(error) });
  });
}

function passOn(dataPlane: DataPlane, identity: string, state: CertificateState): void {
  switch (state.kind) {
    case 'initializing':
      return;
    case 'available': {
      const { key, chain, roots } = state.certificate;
      dataPlane.updateCertificate(identity, {
        kind: 'available',
        certificate: { key, chain, roots },
      });
      return;
    }
    case 'unavailable':
      dataPlane.updateCertificate(identity, { kind: 'unavailable', error: state.error });
      return;
  }
}

async function bindServers(
  config: ZtunnelConfig,
  handlers: Readonly<Record<'readiness' | 'metrics', HttpHandler>> & { readonly admin: HttpRoutes },
): Promise<{ ports: Ztunnel['ports']; close(): void }> {
  const metricsRoutes = { '/metrics': handlers.metrics, '/stats/prometheus': handlers.metrics };
  const everywhere = config.usesIpv6 ? {} : { host: '0.0.0.0' };
  const [admin, stats, readiness] = await Promise.all([
    serveHttp(handlers.admin, { host: '127.0.0.1', port: config.adminPort }),
    serveHttp(metricsRoutes, { ...everywhere, port: config.statsPort }),
    serveHttp(
      { '/healthz/ready': handlers.readiness },
      { ...everywhere, port: config.readinessPort },
    ),
  ]);
  return {
    ports: { admin: admin.port, stats: stats.port, readiness: readiness.port },
    close: () => {
      for (const server of [admin, stats, readiness]) server.close();
    },
  };
}

/** Returns as soon as nothing that was accepted is open, at the latest at the deadline. */
async function untilIdle(dataPlane: DataPlane, deadlineMs: number): Promise<void> {
  const deadline = Date.now() + deadlineMs;
  while (Date.now() < deadline) {
    const { source, destination } = dataPlane.traffic.openSockets;
    if (source + destination === 0) return;
    await delay(100);
  }
}
