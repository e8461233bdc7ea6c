/** Objects as they lie in files or in a cluster, judged as the control plane would judge them: by the same graph. */
import type { ConfigMap } from '@aquifer/model/resources';
import { createLogger } from '@aquifer/runtime';
import { clusterWishes, type WishSettings } from '../cluster-wishes.ts';
import { Derivation } from '../derive/derivation.ts';
import { WAYPOINT_CONTROLLER } from '../derive/labels.ts';
import type { DerivationSettings } from '../derive/mesh-collections.ts';
import { OWN_CLASSES } from '../gateways/gateway-classes.ts';
import { keyOf, type StoredObject } from '../ingest/cluster-inputs.ts';
import { ClusterStore } from '../ingest/cluster-store.ts';
import { CLASS_DEFAULTS_LABEL, WATCHED_KINDS, type WatchedKind } from '../ingest/kinds.ts';
import { type AnalysisMessage, analysisMessage, inOrder } from './message.ts';
import { ruleMessages } from './rule-messages.ts';
import {
  groupOf,
  shapeMessages,
  unsupportedMessage,
  type WrittenObject,
} from './shape-messages.ts';
import { statusMessages } from './status-messages.ts';

/** Those of an installation as `deploy/` makes it. */
const SETTINGS: DerivationSettings & WishSettings = {
  clusterId: 'Kubernetes',
  clusterDomain: 'cluster.local',
  imagePullSecrets: [],
  trustDomain: 'cluster.local',
  systemNamespace: 'istio-system',
  excludeNamespaces: ['kube-system'],
  revision: 'default',
  image: '',
  gatewayImage: '',
  caAddress: '',
};

/** Every message about the objects, errors first. Objects of namespaced kinds must name their namespace. */
export function analyze(objects: readonly WrittenObject[]): AnalysisMessage[] {
  const messages: AnalysisMessage[] = [];
  const derivation = new Derivation(SETTINGS, (collection, key, error) => {
    const [namespace = '', name = ''] = key.split('/');
    const text = `${collection} cannot be derived: ${(error as Error).message}`;
    messages.push(analysisMessage('IST0106', { kind: '', namespace, name }, text));
  });
  const { graph, cluster, mesh, malformed } = derivation;
  const { wishes, wantedMaps } = clusterWishes(derivation, SETTINGS);
  const derived = graph.union(
    'messages',
    statusMessages(graph, wishes),
    ruleMessages(graph, cluster, mesh),
  );
  const store = new ClusterStore({
    inputs: cluster,
    malformed,
    revision: '',
    log: createLogger('analyze', { format: 'plain', write: () => undefined }),
    onChange: () => undefined,
  });
  for (const { name, controllerName } of OWN_CLASSES) {
    const object = { kind: 'GatewayClass', metadata: { name }, spec: { controllerName } };
    store.change('GatewayClass', { apiVersion: 'v1', ...object } as StoredObject, false);
  }
  for (const object of objects) {
    const kind = watchedKindOf(object);
    const unsupported = unsupportedMessage(object, kind !== null);
    messages.push(...shapeMessages(object), ...(unsupported === null ? [] : [unsupported]));
    if (kind !== null) store.change(kind, asNew(kind, object), false);
  }
  graph.settle();
  for (const [key] of wantedMaps.entries()) {
    const map = objects.find((object) => object.kind === 'ConfigMap' && keyOf(object) === key);
    derivation.referredMaps.set(
      key,
      map === undefined ? { kind: 'missing' } : { kind: 'found', map: map as ConfigMap },
    );
  }
  graph.settle();
  return inOrder([...messages, ...Array.from(derived.entries(), ([, message]) => message)]);
}

/** Null for what the control plane does not read. */
function watchedKindOf(object: WrittenObject): WatchedKind | null {
  const { namespace, name } = object.metadata;
  const isMeshConfig = namespace === SETTINGS.systemNamespace && name === 'istio';
  if (object.kind === 'ConfigMap') {
    if (isMeshConfig) return 'MeshConfigMap';
    return isClassDefaults(object) ? 'GatewayClassDefaults' : 'RootConfigMap';
  }
  // Two groups have a kind `Gateway`.
  const found = Object.entries(WATCHED_KINDS).find(
    ([key, { apiVersion, kind = key }]) =>
      kind === object.kind && groupOf({ apiVersion }) === groupOf(object),
  );
  return (found?.[0] ?? null) as WatchedKind | null;
}

function isClassDefaults({ metadata }: WrittenObject): boolean {
  const { labels } = metadata as StoredObject['metadata'];
  return (
    metadata.namespace === SETTINGS.systemNamespace && labels?.[CLASS_DEFAULTS_LABEL] !== undefined
  );
}

/** Without what statuses say already, so that all of it is said; a waypoint counts as if it ran. */
function asNew(kind: WatchedKind, object: WrittenObject): StoredObject {
  const { status, ...rest } = structuredClone(object) as WrittenObject & {
    readonly status?: { readonly addresses?: readonly unknown[] };
    readonly spec?: { readonly gatewayClassName?: unknown };
  };
  const written = (status ?? {}) as Record<string, unknown>;
  const kept = Object.fromEntries(Object.entries(written).filter(([key]) => !SAID.includes(key)));
  const isWaypoint = kind === 'Gateway' && WAYPOINT_CLASSES.includes(rest.spec?.gatewayClassName);
  const { name, namespace = '' } = rest.metadata;
  const value = `${name}.${namespace}.svc.${SETTINGS.clusterDomain}`;
  const hasAddress = (status?.addresses ?? []).length > 0;
  return {
    ...rest,
    status: {
      ...kept,
      ...(isWaypoint && !hasAddress && { addresses: [{ type: 'Hostname', value }] }),
    },
  } as unknown as StoredObject;
}

/** What statuses say, of whichever kind. */
const SAID: readonly string[] = ['conditions', 'parents', 'listeners', 'ancestors'];

const WAYPOINT_CLASSES: readonly unknown[] = OWN_CLASSES.filter(
  ({ controllerName }) => controllerName === WAYPOINT_CONTROLLER,
).map(({ name }) => name);
