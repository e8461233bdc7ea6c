/** Wiring: Kubernetes watches → derive → push, statuses and waypoints; binds every port before it serves. */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '@aquifer/runtime';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { listenAdmin } from './admin/admin-server.ts';
import { monitoringPages, probePages } from './admin/pages.ts';
import type { CertificateAuthority } from './ca/authority.ts';
import { openAuthority } from './ca/authority-store.ts';
import { distributeRoots } from './ca/trust-bundle.ts';
import { type ControlPlaneConfig, commaList } from './config.ts';
import { Deriver, type Snapshot } from './derive/snapshot.ts';
import { ForeignObjects } from './gateways/owned-object.ts';
import { writeRouteStatuses } from './gateways/route-status.ts';
import { reconcileWaypoints } from './gateways/waypoint-controller.ts';
import { ClusterStore } from './ingest/cluster-store.ts';
import { Debouncer } from './ingest/debounce.ts';
import { WATCHED_KINDS, type WatchedKind } from './ingest/kinds.ts';
import type { KubernetesApi } from './ingest/kubernetes-api.ts';
import { reflect } from './ingest/reflector.ts';
import { tokenAuthenticator } from './push/authenticate.ts';
import { DeltaServer } from './push/delta-server.ts';
import { listenGrpc } from './push/grpc-server.ts';
import { Publisher } from './push/publisher.ts';
import { createPushMetrics } from './push/push-metrics.ts';
import { WriterLease } from './reconcile/lease.ts';
import { WriteQueue } from './reconcile/write-queue.ts';
import { writeConditions } from './status/derived-conditions.ts';

/** A running control plane with the ports it really listens on. */
export interface ControlPlane {
  readonly ports: {
    readonly grpc: number;
    readonly secureGrpc: number;
    readonly monitoring: number;
    readonly probe: number;
  };
  /** PEM of the roots that its certificates lead to. */
  readonly rootBundle: string;
  readonly publisher: Publisher;
  /** Ends streams and writes, then closes every port. */
  stop(): Promise<void>;
}

export interface ControlPlaneDeps {
  readonly config: ControlPlaneConfig;
  readonly api: KubernetesApi;
  readonly log: Logger;
}

const VERSION = '0.1.0';
const STOP_GRACE_MS = 2000;

/** Resolves when every port is bound; the first snapshot follows once the API has been listed. */
export async function startControlPlane(deps: ControlPlaneDeps): Promise<ControlPlane> {
  const { config, api, log } = deps;
  const publisher = new Publisher();
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const probe = await listenAdmin(config.probePort, config.bindAddress, probePages({ publisher }));
  const authority = await waitForAuthority(deps);
  const trustedNodeAccounts = commaList(config.trustedNodeAccounts);
  const authenticate = tokenAuthenticator(api, config.trustDomain);
  const delta = new DeltaServer({
    publisher,
    authenticate,
    log: log.scope('xds'),
    metrics: createPushMetrics(registry),
    trustedNodeAccounts,
    isAuthRequired: config.isXdsAuthRequired,
  });
  const { defaultTtlMs, maxTtlMs } = config;
  const grpcDeps = {
    delta,
    publisher,
    authenticate,
    certificates: {
      authority,
      policy: { trustedNodeAccounts, defaultTtlMs, maxTtlMs },
      log: log.scope('ca'),
    },
    captures: { api, log: log.scope('capture'), trustedNodeAccounts },
    log: log.scope('grpc'),
  };
  const identity = authority.issueServer(serverNames(config));
  const address = (port: number): string => `${config.bindAddress}:${port}`;
  const plain = await listenGrpc(address(config.grpcPort), null, grpcDeps);
  const secure = await listenGrpc(address(config.secureGrpcPort), identity, grpcDeps);
  const pages = monitoringPages({ publisher, delta, registry, version: VERSION, settings: config });
  const monitoring = await listenAdmin(config.monitoringPort, config.bindAddress, pages);
  const pipeline = startPipeline(deps, publisher, authority);
  return {
    ports: {
      grpc: plain.port,
      secureGrpc: secure.port,
      monitoring: monitoring.port,
      probe: probe.port,
    },
    rootBundle: authority.rootBundle,
    publisher,
    stop: async () => {
      await pipeline.stop();
      delta.close();
      await Promise.all([plain.stop(STOP_GRACE_MS), secure.stop(STOP_GRACE_MS)]);
      await Promise.all([probe.stop(), monitoring.stop()]);
    },
  };
}

const AUTHORITY_RETRY_MS = 1000;

/** Nothing can be served without the key, so an API that is not there yet is waited for; a bad key is fatal. */
async function waitForAuthority(deps: ControlPlaneDeps): Promise<CertificateAuthority> {
  const { api, config, log } = deps;
  for (;;) {
    try {
      const opened = await openAuthority(api, config.systemNamespace, config.trustDomain);
      if (!opened.ok) throw new UnusableAuthority(opened.error);
      return opened.value;
    } catch (error) {
      if (error instanceof UnusableAuthority) throw error;
      log.warn('waiting for the Kubernetes API', { error: (error as Error).message });
      await delay(AUTHORITY_RETRY_MS);
    }
  }
}

class UnusableAuthority extends Error {
  override readonly name = 'UnusableAuthority';
}

/** Watches, derives, publishes and writes until stopped. */
function startPipeline(
  { config, api, log }: ControlPlaneDeps,
  publisher: Publisher,
  authority: CertificateAuthority,
): { stop(): Promise<void> } {
  const abort = new AbortController();
  const settings = {
    ...config,
    image: config.waypointImage,
    rootNamespace: config.systemNamespace,
  };
  const enrolment = { excludeNamespaces: commaList(config.excludeNamespaces) };
  const deriver = new Deriver({ ...settings, ...enrolment }, (key, error) =>
    log.error('object cannot be derived; its last good configuration stays', {
      object: key,
      error: (error as Error).message,
    }),
  );
  const foreign = new ForeignObjects();
  const write = (snapshot: Snapshot): void => {
    if (!lease.isHeld) return;
    queue.startRound(() => {
      distributeRoots(snapshot.state, authority.rootBundle, queue, api);
      writeConditions(snapshot, queue, api);
      reconcileWaypoints(snapshot.state, { api, queue, foreign, settings });
      writeRouteStatuses(snapshot, settings, queue, api);
    });
  };
  const rewrite = (): void => {
    if (publisher.current !== null) write(publisher.current);
  };
  const lease = new WriterLease({
    api,
    log: log.scope('lease'),
    namespace: config.systemNamespace,
    name: config.revision === 'default' ? 'istiod-writer' : `istiod-writer-${config.revision}`,
    holder: config.podName || randomUUID(),
    onGained: rewrite,
  });
  const queue = new WriteQueue({
    log: log.scope('write'),
    recheck: rewrite,
    mayWrite: () => lease.isHeld,
  });
  const publish = (): void => {
    if (!store.isComplete) return;
    try {
      publisher.publish(deriver.derive(store.take()));
    } catch (error) {
      log.error('derivation failed; the last snapshot stays', { error: (error as Error).message });
    }
  };
  const debouncer = new Debouncer(publish, config.debounceAfterMs, config.debounceMaxMs);
  const store = new ClusterStore(() => debouncer.trigger(), config.revision);
  publisher.subscribe(write);
  lease.start();
  const kinds = Object.keys(WATCHED_KINDS) as WatchedKind[];
  const reflectors = kinds.map((kind) =>
    reflect(kind, { api, sink: store, log: log.scope('watch') }, abort.signal),
  );
  return {
    stop: async () => {
      abort.abort();
      debouncer.stop();
      await Promise.all([...reflectors, queue.stop()]);
      await lease.stop();
    },
  };
}

/** Names by which proxies reach the TLS port. */
function serverNames({ systemNamespace, clusterDomain, revision }: ControlPlaneConfig): string[] {
  const services = revision === 'default' ? ['istiod'] : ['istiod', `istiod-${revision}`];
  return services.flatMap((name) => [
    `${name}.${systemNamespace}.svc`,
    `${name}.${systemNamespace}.svc.${clusterDomain}`,
    `${name}.${systemNamespace}`,
  ]);
}
