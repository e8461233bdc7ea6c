import { setTimeout as delay } from 'node:timers/promises';
import {
  CertificateManager,
  type CertificateState,
  type ControlPlaneEndpoint,
  CsrClient,
  DeltaStream,
  type Subscription,
} from '@aquifer/control-plane-client';
import {
  type HttpHandler,
  type HttpRoutes,
  type Logger,
  Readiness,
  redactConfig,
  serveHttp,
} from '@aquifer/runtime';
import { ADDRESS_TYPE, AUTHORIZATION_TYPE, ENROLLED_POD_TYPE } from '@aquifer/wire';
import { adminPages } from './admin/admin-pages.ts';
import { renderConfigDump } from './admin/config-dump.ts';
import { LogFilter } from './admin/log-filter.ts';
import { meshDump } from './admin/mesh-dump.ts';
import { ZTUNNEL_CONFIG, type ZtunnelConfig } from './config.ts';
import { DataPlane } from './data-plane/data-plane.ts';
import { NodeAgent } from './node/node-agent.ts';
import { ControlMetrics, exposeMetrics } from './telemetry/metrics-exposition.ts';

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
    endpoint: endpointOf(config, config.caAddress ?? config.xdsAddress),
    ttlSeconds: config.certificateTtlMs / 1000,
    impersonate: true,
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
  const dataPlane = new DataPlane({
    threads: config.threads,
    config: { ...config },
    log: log.scope('state'),
    onIdentities: (identities) => {
      certificates.keepOnly(identities);
    },
    onCertificateNeeded: (identity) => {
      // Known already: this thread asked after the answer went round.
      const state = certificates.states().get(identity);
      if (state === undefined) certificates.want(identity);
      else passOn(dataPlane, identity, state);
    },
    onThreadLost: (error) => {
      failed.reject(error);
    },
  });
  const agent = new NodeAgent({
    dataPlane,
    node: config.nodeName,
    endpoint: endpointOf(config, config.xdsAddress),
    procPath: config.procPath,
    drainDeadlineMs: config.drainDeadlineMs,
    log: log.scope('inpod'),
    onFirstSnapshotTried: () => {
      readiness.done('workload proxy manager');
    },
  });
  const stream = new DeltaStream({
    endpoint: endpointOf(config, config.xdsAddress),
    node: describeNode(config),
    subscriptions: subscriptions(dataPlane, agent),
    log: log.scope('xds'),
    onSynced: () => {
      readiness.done('state manager');
      agent.start();
    },
    onTermination: (reason) => {
      metrics.xdsTerminations.inc({ reason });
    },
    onMessage: (url, bytes) => {
      metrics.xdsMessages.inc({ url });
      metrics.xdsBytes.inc({ url }, bytes);
    },
  });
  const servers = await bindServers(config, {
    readiness: readiness.handler,
    metrics: async ({ headers }) => ({
      status: 200,
      ...(headers.accept?.includes(OPEN_METRICS) && {
        contentType: `${OPEN_METRICS};charset=utf-8;version=1.0.0`,
      }),
      body: await exposeMetrics(metrics, dataPlane.traffic),
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
          connections: await dataPlane.connections(),
          certificates: certificates.states(),
          captures: agent.captures(),
          config: redactConfig(ZTUNNEL_CONFIG, config),
          version: config.versionTag,
        }),
      }),
    }),
  });
  readiness.done('proxy');
  void stream.run();
  return {
    ports: servers.ports,
    failed: failed.promise,
    drain: async () => {
      servers.close();
      agent.stop();
      await dataPlane.drain();
      // Policies are followed to the end: what one forbids does not go on because its proxy is being replaced.
      await untilIdle(dataPlane, config.drainDeadlineMs);
      stream.stop();
      certificates.stop();
      csr.close();
      await dataPlane.stop();
    },
  };
}

function subscriptions(dataPlane: DataPlane, agent: NodeAgent): Subscription[] {
  return [
    {
      typeUrl: ADDRESS_TYPE,
      names: '*',
      apply: (batch) => dataPlane.applyAddresses(batch),
    },
    {
      typeUrl: AUTHORIZATION_TYPE,
      names: '*',
      apply: (batch) => dataPlane.applyPolicies(batch),
    },
    { typeUrl: ENROLLED_POD_TYPE, names: '*', apply: (batch) => agent.apply(batch) },
  ];
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

function endpointOf(config: ZtunnelConfig, address: string): ControlPlaneEndpoint {
  const { rootCertPath, tokenPath, clusterId, serverName } = config;
  return { address, rootCertPath, tokenPath, clusterId, serverName };
}

function describeNode(config: ZtunnelConfig) {
  const { podName, podNamespace, instanceIp, nodeName } = config;
  return {
    id: `ztunnel~${instanceIp}~${podName}.${podNamespace}~${podNamespace}.svc.cluster.local`,
    metadata: {
      NAME: podName,
      NAMESPACE: podNamespace,
      INSTANCE_IPS: instanceIp,
      NODE_NAME: nodeName,
      CLUSTER_ID: config.clusterId,
    },
  };
}

async function bindServers(
  config: ZtunnelConfig,
  handlers: Readonly<Record<'readiness' | 'metrics', HttpHandler>> & { readonly admin: HttpRoutes },
): Promise<{ ports: Ztunnel['ports']; close(): void }> {
  const metricsRoutes = { '/metrics': handlers.metrics, '/stats/prometheus': handlers.metrics };
  const [admin, stats, readiness] = await Promise.all([
    serveHttp(handlers.admin, { host: '127.0.0.1', port: config.adminPort }),
    serveHttp(metricsRoutes, { port: config.statsPort }),
    serveHttp({ '/healthz/ready': handlers.readiness }, { port: config.readinessPort }),
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
