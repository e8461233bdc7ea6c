/** Wiring: Kubernetes watches → derive → push, statuses and waypoints; binds every port before it serves. */
import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { type Logger, VERSION } from '@aquifer/runtime';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { type AdminHandler, listenAdmin } from './admin/admin-server.ts';
import { answerDebug } from './admin/debug/ads-debug.ts';
import type { DebugSource } from './admin/debug/debug-pages.ts';
import { httpDebug } from './admin/debug/http-debug.ts';
import { monitoringPages, readinessPage } from './admin/pages.ts';
import { listenWebhooks } from './admission/webhook-server.ts';
import { webhookWishes } from './admission/webhook-wishes.ts';
import { createExpiryMetrics } from './ca/expiry.ts';
import type { AuthorityFacts } from './ca/mesh-authority.ts';
import { type Authority, openAuthority } from './ca/open-authority.ts';
import { authorityWishes, clusterTrustBundleWishes, TRUST_BUNDLE } from './ca/trust-bundle.ts';
import { clusterWishes } from './cluster-wishes.ts';
import type { Input } from './collections/nodes.ts';
import { type ControlPlaneConfig, commaList } from './config.ts';
import { Derivation } from './derive/derivation.ts';
import type { DerivationSettings } from './derive/mesh-collections.ts';
import { LISTED_KINDS } from './ingest/cluster-inputs.ts';
import { ClusterStore } from './ingest/cluster-store.ts';
import { Debouncer } from './ingest/debounce.ts';
import { KeySets } from './ingest/key-sets.ts';
import type { WatchedKind } from './ingest/kinds.ts';
import type { KubernetesApi } from './ingest/kubernetes-api.ts';
import { ReferredMaps } from './ingest/referred-maps.ts';
import { reflect } from './ingest/reflector.ts';
import { SecretReaders } from './ingest/secret-readers.ts';
import { tokenAuthenticator } from './push/authenticate.ts';
import { DiscoveryServer } from './push/discovery-server.ts';
import { listenGrpc } from './push/grpc-server.ts';
import { Publisher } from './push/publisher.ts';
import { createPushMetrics } from './push/push-metrics.ts';
import { leaseTimes } from './reconcile/lease.ts';
import { wishesByScope } from './reconcile/scope.ts';
import { Writer } from './reconcile/writer.ts';

/** A running control plane with the ports it really listens on. */
export interface ControlPlane {
  readonly ports: {
    readonly grpc: number;
    readonly secureGrpc: number;
    readonly monitoring: number;
    readonly probe: number;
    readonly webhook: number;
  };
  /** PEM of the roots that are trusted now. */
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

const STOP_GRACE_MS = 2000;

/** Resolves when every port is bound; the first snapshot follows once the API has been listed. */
export async function startControlPlane(deps: ControlPlaneDeps): Promise<ControlPlane> {
  const { config, api, log } = deps;
  const { defaultTtlMs, maxTtlMs, systemNamespace } = config;
  const derivation = newDerivation(deps);
  const publisher = new Publisher(derivation);
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const started: { authority?: Authority; debug?: AdminHandler } = {};
  const notices = (): readonly string[] => started.authority?.notices ?? [];
  const readiness = readinessPage({ publisher, notices });
  const debug: AdminHandler = async (request) => started.debug?.(request) ?? null;
  const probe = await listenAdmin(config.probePort, config.bindAddress, readiness, debug);
  const opened = await openAuthority(deps, serverNames(config)).catch(async (error: unknown) => {
    await probe.stop();
    throw error;
  });
  const { authority, identity, issuer } = opened;
  started.authority = authority;
  createExpiryMetrics(registry, () => authority.expiries);
  const trustedNodeAccounts = commaList(config.trustedNodeAccounts);
  const authenticate = tokenAuthenticator(
    api,
    () => publisher.current?.mesh.settings.get('')?.trustDomain ?? config.trustDomain,
  );
  const discovery = new DiscoveryServer({
    publisher,
    authenticate,
    log: log.scope('xds'),
    metrics: createPushMetrics(registry),
    trustedNodeAccounts,
    isAuthRequired: config.isXdsAuthRequired,
    answerDebug: (request) => answerDebug(request, systemNamespace, source),
  });
  const source: DebugSource = { publisher, discovery, settings: config, derivation };
  started.debug = (request) => httpDebug(request, { source, authenticate, systemNamespace });
  const grpcDeps = {
    discovery,
    publisher,
    authenticate,
    certificates: issuer && {
      issuer,
      policy: { trustedNodeAccounts, defaultTtlMs, maxTtlMs },
      log: log.scope('ca'),
    },
    captures: { api, log: log.scope('capture'), trustedNodeAccounts },
    log: log.scope('grpc'),
  };
  const address = (port: number): string => `${config.bindAddress}:${port}`;
  const plain = await listenGrpc(address(config.grpcPort), null, grpcDeps);
  const secure = await listenGrpc(address(config.secureGrpcPort), identity, grpcDeps);
  const webhook = await listenWebhooks(config.webhookPort, config.bindAddress, identity);
  const pages = monitoringPages(registry, VERSION);
  const monitoring = await listenAdmin(
    config.monitoringPort,
    config.bindAddress,
    readiness,
    pages,
    debug,
  );
  const pipeline = startPipeline(deps, { derivation, publisher }, authority);
  return {
    ports: {
      grpc: plain.port,
      secureGrpc: secure.port,
      monitoring: monitoring.port,
      probe: probe.port,
      webhook: webhook.port,
    },
    get rootBundle() {
      return authority.rootBundle;
    },
    publisher,
    stop: async () => {
      await pipeline.stop();
      discovery.close();
      await Promise.all([plain.stop(STOP_GRACE_MS), secure.stop(STOP_GRACE_MS)]);
      await Promise.all([probe.stop(), monitoring.stop(), webhook.stop()]);
    },
  };
}

/** Watches, derives, publishes and writes until stopped. */
function startPipeline(
  { config, api, log }: ControlPlaneDeps,
  { derivation, publisher }: { readonly derivation: Derivation; readonly publisher: Publisher },
  authority: Authority,
): { stop(): Promise<void> } {
  const abort = new AbortController();
  const facts: Input<AuthorityFacts> = derivation.graph.input('authority');
  const { graph, cluster } = derivation;
  const settings = { ...config, image: config.waypointImage };
  const holder = config.podName || randomUUID();
  const times = leaseTimes(config.leaseDurationMs);
  const { obstacles, wishes: derived, wantedMaps } = clusterWishes(derivation, settings);
  const ofAuthority = authorityWishes(graph, cluster, facts, config.systemNamespace);
  const ofWebhooks = webhookWishes(graph, cluster, facts, config.systemNamespace);
  const ofBundle = config.isTrustBundlePublished
    ? [clusterTrustBundleWishes(graph, cluster, facts)]
    : [];
  const wishes = graph.union('wishes', ofAuthority, ...ofBundle, ofWebhooks, derived);
  const scopes = wishesByScope(graph, cluster, wishes);
  const writers = [
    { name: 'istiod-mesh-writer', wishes: scopes.mesh },
    { name: revisionLease(config), wishes: scopes.revision },
  ].map(
    ({ name, wishes: ofScope }) =>
      new Writer({
        api,
        log,
        lease: { namespace: config.systemNamespace, name, holder, times },
        wishes: ofScope,
        obstacles,
        onObstacle: () => debouncer.trigger(),
        isReady: () => publisher.current !== null,
      }),
  );
  const publish = (): void => {
    if (store.isComplete) publisher.publish();
  };
  const debouncer = new Debouncer(publish, config.debounceAfterMs, config.debounceMaxMs);
  const store = new ClusterStore({
    inputs: derivation.cluster,
    malformed: derivation.malformed,
    revision: config.revision,
    log: log.scope('watch'),
    onChange: () => debouncer.trigger(),
  });
  publisher.whenDemanded(() => debouncer.trigger());
  for (const writer of writers) publisher.subscribe(() => writer.write());
  publisher.subscribe(() => reportUnread(derivation, log));
  const keySets = new KeySets({
    wanted: derivation.keySetAddresses,
    keySets: derivation.keySets,
    log: log.scope('jwks'),
    onChange: () => debouncer.trigger(),
  });
  publisher.subscribe(() => keySets.look());
  const secretReaders = new SecretReaders({
    api,
    wanted: derivation.gateways.secretAccounts,
    readers: derivation.secretReaders,
    log: log.scope('secrets'),
    onChange: () => debouncer.trigger(),
  });
  publisher.subscribe(() => secretReaders.look());
  const referredMaps = new ReferredMaps({
    api,
    wanted: wantedMaps,
    found: derivation.referredMaps,
    log: log.scope('watch'),
    onChange: () => debouncer.trigger(),
  });
  publisher.subscribe(() => referredMaps.look());
  facts.set('', authority.facts);
  authority.subscribe(() => {
    if (isDeepStrictEqual(facts.get(''), authority.facts)) return;
    facts.set('', authority.facts);
    debouncer.trigger();
  });
  for (const writer of writers) writer.start();
  const only = {
    MeshConfigMap: meshConfigMap(config),
    GatewayClassDefaults: { namespace: config.systemNamespace },
    ClusterTrustBundle: { namespace: '', name: TRUST_BUNDLE },
  };
  const kinds: readonly WatchedKind[] = config.isTrustBundlePublished
    ? [...LISTED_KINDS, 'ClusterTrustBundle']
    : LISTED_KINDS;
  const reflectors = kinds.map((kind) =>
    reflect(kind, { api, sink: store, log: log.scope('watch'), only }, abort.signal),
  );
  const kept = authority.keep(abort.signal);
  return {
    stop: async () => {
      abort.abort();
      debouncer.stop();
      keySets.stop();
      secretReaders.stop();
      const stopped = writers.map((writer) => writer.stop());
      await Promise.all([...reflectors, referredMaps.stop(), kept, ...stopped]);
    },
  };
}

function revisionLease({ revision }: ControlPlaneConfig): string {
  return revision === 'default' ? 'istiod-writer' : `istiod-writer-${revision}`;
}

/** Of other revisions than the default one each has its own. */
function meshConfigMap({ systemNamespace: namespace, revision }: ControlPlaneConfig) {
  return { namespace, name: revision === 'default' ? 'istio' : `istio-${revision}` };
}

/** Once for each version of the mesh's configuration. */
function reportUnread({ mesh }: Derivation, log: Logger): void {
  const fields = mesh.meshConfig.changes.get('')?.now?.unread ?? [];
  if (fields.length > 0)
    log.warn('mesh configuration has fields that are not read', {
      fields: fields.join(', '),
    });
}

function newDerivation({ config, log }: ControlPlaneDeps): Derivation {
  return new Derivation(derivationSettings(config), (collection, key, error) =>
    log.error('object cannot be derived; its last good configuration stays', {
      collection,
      object: key,
      error: (error as Error).message,
    }),
  );
}

function derivationSettings(config: ControlPlaneConfig): DerivationSettings {
  return { ...config, excludeNamespaces: commaList(config.excludeNamespaces) };
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
