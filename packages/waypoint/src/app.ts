import { setTimeout as delay } from 'node:timers/promises';
import {
  CertificateManager,
  type CertificateState,
  CsrClient,
  DeltaStream,
  type Subscription,
} from '@aquifer/control-plane-client';
import { formatIdentity } from '@aquifer/model';
import {
  type HttpHandler,
  type Logger,
  Readiness,
  redactConfig,
  serveHttp,
  VERSION,
} from '@aquifer/runtime';
import type { JsonObject } from '@bufbuild/protobuf';
import { ProcessLevels } from './admin/log-levels.ts';
import { adminPages, type ServerState } from './admin/pages.ts';
import { WAYPOINT_CONFIG, type WaypointConfig } from './config.ts';
import { DataPlane } from './data-plane/data-plane.ts';
import { RESOURCES, type ResourceKind } from './data-plane/resources.ts';
import { applyStaticResources } from './static-resources.ts';
import type { ProxyNode } from './telemetry/exporters.ts';
import { exposeTelemetry } from './telemetry/exposition.ts';

/** A running L7 proxy. */
export interface Waypoint {
  /** Lets requests finish until the deadline, then ends everything. */
  drain(): Promise<void>;
  /** Rejects if a data-plane thread is lost. */
  readonly failed: Promise<never>;
}

/** Peers learn for so long that this instance goes away while it still serves: until then they keep coming here. */
const ANNOUNCED_MS = 2_000;

/** What was written last is on its way for so long. */
const LAST_BYTES_MS = 200;

const CERTIFICATE = 'certificate';
const CONFIGURATION = 'configuration';
const LISTENER = 'listener';

/** Wires all parts; with a bootstrap file nothing but that file is served. Tags of spans may be of the environment. */
export async function startWaypoint(
  config: WaypointConfig,
  log: Logger,
  environment: ProxyNode['environment'],
): Promise<Waypoint> {
  const failed = Promise.withResolvers<never>();
  const isStatic = config.bootstrapPath !== null;
  const dataPlane = new DataPlane({
    threads: config.threads,
    config: {
      ...config,
      baggage: baggageOf(config),
      bindsListeners: isStatic,
      node: nodeOf(config, environment),
    },
    onThreadLost: (error) => failed.reject(error),
  });
  let isDraining = false;
  const readiness = new Readiness(isStatic ? [] : [CERTIFICATE, CONFIGURATION, LISTENER]);
  const source = isStatic
    ? await serveStatic(config.bootstrapPath ?? '', dataPlane)
    : followControlPlane(config, { dataPlane, readiness, log, onFailed: failed.reject });
  const state = (): ServerState => {
    if (isDraining) return 'DRAINING';
    return readiness.isReady ? 'LIVE' : 'INITIALIZING';
  };
  const servers = isStatic
    ? []
    : await bindServers(config, {
        dataPlane,
        readiness,
        log,
        state,
        certificate: source.certificate,
      });
  return {
    failed: failed.promise,
    drain: async () => {
      isDraining = true;
      await dataPlane.announceEnd();
      if (!isStatic) await delay(ANNOUNCED_MS);
      await dataPlane.drain();
      await untilIdle(dataPlane, config.drainSeconds * 1000);
      await dataPlane.closeIdle();
      await delay(LAST_BYTES_MS);
      // Not sooner: policies hold to the end.
      source.stop();
      for (const server of servers) server.close();
      await dataPlane.stop();
    },
  };
}

/** Where configuration and certificates come from. */
interface Source {
  readonly certificate: () => CertificateState | null;
  stop(): void;
}

async function serveStatic(path: string, dataPlane: DataPlane): Promise<Source> {
  await applyStaticResources(path, dataPlane);
  return { certificate: () => null, stop: () => undefined };
}

interface SourceDeps {
  readonly dataPlane: DataPlane;
  readonly readiness: Readiness;
  readonly log: Logger;
  readonly onFailed: (error: Error) => void;
}

/** Tunnels are accepted once there is a certificate and a first configuration; the proxy is ready when they are. */
function followControlPlane(
  config: WaypointConfig,
  { dataPlane, readiness, log, onFailed }: SourceDeps,
): Source {
  const endpoint = {
    address: config.certificateAuthority,
    rootCertPath: config.rootCertPath,
    tokenPath: config.tokenPath,
    headers: {},
    clusterId: config.clusterId,
    serverName: null,
  };
  const awaited = new Set([CERTIFICATE, CONFIGURATION]);
  const ready = (task: string): void => {
    readiness.done(task);
    if (!awaited.delete(task) || awaited.size > 0) return;
    dataPlane.listen().then(() => readiness.done(LISTENER), onFailed);
  };
  const csr = new CsrClient({
    endpoint,
    ttlSeconds: config.certificateTtlMs / 1000,
    impersonate: false,
  });
  let certificate: CertificateState | null = null;
  const certificates = new CertificateManager({
    sign: (identity) => csr.sign(identity),
    log: log.scope('ca'),
    onChange: (_identity, state) => {
      certificate = state;
      if (state.kind !== 'available') return;
      const { key, chain, roots } = state.certificate;
      dataPlane.setCertificate({ key, chain, roots });
      ready(CERTIFICATE);
    },
  });
  certificates.want(identityOf(config));
  const stream = new DeltaStream({
    endpoint: { ...endpoint, address: config.discovery || config.certificateAuthority },
    node: describeNode(config),
    subscriptions: subscriptions(dataPlane),
    log: log.scope('xds'),
    onSynced: () => ready(CONFIGURATION),
  });
  void stream.run();
  return {
    certificate: () => certificate,
    stop: () => {
      stream.stop();
      certificates.stop();
      csr.close();
    },
  };
}

/** Endpoints are followed as a whole: the control plane sends those of this waypoint's clusters. */
function subscriptions(dataPlane: DataPlane): Subscription[] {
  const kinds: readonly ResourceKind[] = ['cluster', 'endpoints', 'listener'];
  return kinds.map((kind) => ({
    typeUrl: RESOURCES[kind].typeUrl,
    names: '*',
    apply: (batch) => dataPlane.apply(kind, batch),
  }));
}

function identityOf({ trustDomain, podNamespace, serviceAccount }: WaypointConfig): string {
  return formatIdentity({ trustDomain, namespace: podNamespace, serviceAccount });
}

function baggageOf({ clusterId, podNamespace, workloadName }: WaypointConfig): string {
  return `k8s.cluster.name=${clusterId},k8s.namespace.name=${podNamespace},k8s.deployment.name=${workloadName},service.name=${workloadName},service.version=latest`;
}

/** As collectors hear of it. */
function nodeOf(config: WaypointConfig, environment: ProxyNode['environment']): ProxyNode {
  const { workloadName, podNamespace, instanceIp } = config;
  return {
    id: describeNode(config).id,
    serviceName: `${workloadName}.${podNamespace}`,
    ip: instanceIp,
    environment: { ...environment },
  };
}

function describeNode(config: WaypointConfig) {
  const { instanceIp, podName, podNamespace } = config;
  return {
    id: `waypoint~${instanceIp}~${podName}.${podNamespace}~${podNamespace}.svc.cluster.local`,
    metadata: {
      VERSION,
      NAME: podName,
      NAMESPACE: podNamespace,
      INSTANCE_IPS: instanceIp,
      NODE_NAME: config.nodeName,
      CLUSTER_ID: config.clusterId,
      SERVICE_ACCOUNT: config.serviceAccount,
      WORKLOAD_NAME: config.workloadName,
      LABELS: { 'gateway.networking.k8s.io/gateway-name': config.workloadName },
    },
  };
}

function shownConfig(config: WaypointConfig): JsonObject {
  return redactConfig(WAYPOINT_CONFIG, config) as JsonObject;
}

interface AdminDeps extends Pick<SourceDeps, 'dataPlane' | 'readiness' | 'log'> {
  readonly state: () => ServerState;
  readonly certificate: Source['certificate'];
}

async function bindServers(
  config: WaypointConfig,
  { dataPlane, readiness, log, state, certificate }: AdminDeps,
): Promise<readonly { close(): void }[]> {
  const metrics: HttpHandler = async () => ({
    status: 200,
    contentType: 'text/plain; version=0.0.4; charset=utf-8',
    body: exposeTelemetry(await dataPlane.metrics(), await dataPlane.passed(), identityOf(config)),
  });
  const routes = { '/metrics': metrics, '/stats/prometheus': metrics };
  const { id, metadata } = describeNode(config);
  const pages = adminPages({
    version: config.versionTag,
    node: { id, metadata: { ...metadata, AQUIFER: shownConfig(config) } },
    dataPlane,
    certificate,
    state,
    stats: metrics,
    levels: new ProcessLevels(config.logLevels, { log, dataPlane }),
    onQuit: () => process.kill(process.pid, 'SIGTERM'),
  });
  return Promise.all([
    serveHttp(pages, { host: '127.0.0.1', port: config.adminPort }),
    serveHttp(routes, { port: config.statsPort }),
    serveHttp(routes, { port: config.prometheusPort }),
    serveHttp({ '/healthz/ready': readiness.handler }, { port: config.readinessPort }),
  ]);
}

/** Returns as soon as nobody waits for anything, at the latest at the deadline. */
async function untilIdle(dataPlane: DataPlane, deadlineMs: number): Promise<void> {
  const deadline = Date.now() + deadlineMs;
  while (Date.now() < deadline && (await dataPlane.busyConnections()) > 0) await delay(50);
}
