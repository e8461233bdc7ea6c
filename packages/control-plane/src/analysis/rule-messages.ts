/** Rules that can never match, policies that select nothing, and labels that contradict each other. */
import { isDeepStrictEqual } from 'node:util';
import { hasLabels } from '@aquifer/model/kubernetes';
import type {
  AuthorizationPolicy,
  HTTPRoute,
  Namespace,
  PeerAuthentication,
  VirtualService,
} from '@aquifer/model/resources';
import type { Context } from '../collections/cell.ts';
import type { Collection } from '../collections/collection.ts';
import type { Graph } from '../collections/graph.ts';
import { DATAPLANE_MODE_LABEL, GATEWAY_CONTROLLER, GATEWAY_NAME_LABEL } from '../derive/labels.ts';
import type { MeshCollections } from '../derive/mesh-collections.ts';
import { settingsIn } from '../derive/mesh-settings.ts';
import { type LabelledObject, labelsOf, namespaceOf, refTo } from '../derive/object.ts';
import type { ClusterInputs, ClusterReader } from '../ingest/cluster-inputs.ts';
import { type AnalysisMessage, analysisMessage, type MessageCode } from './message.ts';

type Finding = readonly [code: MessageCode, path: string, message: string];

export function ruleMessages(
  graph: Graph,
  cluster: ClusterInputs,
  mesh: MeshCollections,
): Collection<AnalysisMessage> {
  const pods = graph.index('pods of a namespace', cluster.of('Pod'), (pod) => [
    namespaceOf(pod),
    EVERYWHERE,
  ]);
  const selected = (policy: AuthorizationPolicy | PeerAuthentication, context: Context) => {
    if (selectsGateway(policy, cluster.readerOf(context))) return [];
    return selectorFindings(policy, (labels) => {
      const { rootNamespace } = settingsIn(mesh, context);
      const home = namespaceOf(policy);
      const candidates = context.lookup(pods, home === rootNamespace ? EVERYWHERE : home);
      // Of files without pods nothing can be said.
      const isKnown = context.lookup(pods, EVERYWHERE).length > 0;
      return !isKnown || candidates.some((pod) => hasLabels(labels, labelsOf(pod)));
    });
  };
  return graph.union(
    'messages of rules',
    messagesOf(graph, cluster.of('AuthorizationPolicy'), (policy, context) => [
      ...selected(policy, context),
      ...policyFindings(policy),
    ]),
    messagesOf(graph, cluster.of('PeerAuthentication'), selected),
    messagesOf(graph, cluster.of('HTTPRoute'), routeFindings),
    messagesOf(graph, cluster.of('VirtualService'), virtualServiceFindings),
    messagesOf(graph, cluster.of('Namespace'), namespaceFindings),
  );
}

const EVERYWHERE = '*';

function messagesOf<T extends LabelledObject & { readonly kind: string }>(
  graph: Graph,
  source: Collection<T>,
  find: (object: T, context: Context) => Iterable<Finding>,
): Collection<AnalysisMessage> {
  return graph.flatMap(`messages of each ${source.name}`, source, (object, context, key) =>
    Array.from(find(object, context), ([code, path, message]) => {
      const said = analysisMessage(code, refTo(object), message, path);
      return [`${source.name}/${key} ${code} ${path}`, said] as const;
    }),
  );
}

/** Proxies of Gateways that are no waypoints are selected by the labels that they are given. */
function selectsGateway(
  policy: AuthorizationPolicy | PeerAuthentication,
  cluster: ClusterReader,
): boolean {
  const name = policy.spec?.selector?.matchLabels?.[GATEWAY_NAME_LABEL] ?? '';
  const className = cluster.get('Gateway', namespaceOf(policy), name)?.spec.gatewayClassName;
  const found = cluster.get('GatewayClass', '', className ?? '');
  return found?.spec.controllerName === GATEWAY_CONTROLLER;
}

function* selectorFindings(
  { spec }: AuthorizationPolicy | PeerAuthentication,
  isMatched: (labels: Readonly<Record<string, string>>) => boolean,
): Iterable<Finding> {
  const labels = spec?.selector?.matchLabels;
  if (labels === undefined || Object.keys(labels).length === 0) return;
  const path = 'spec.selector';
  if (GATEWAY_NAME_LABEL in labels) {
    const message =
      'a selector does not reach waypoints; attach the policy to the Gateway by spec.targetRefs';
    yield ['IST0166', path, message];
  } else if (!isMatched(labels)) {
    const text = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
    yield ['IST0127', path, `no pod has the labels ${text.join(', ')}: the policy is for nobody`];
  }
}

/** Lists of which one excludes everything that the other one wants. */
const OPPOSITES = [
  ['principals', 'notPrincipals'],
  ['requestPrincipals', 'notRequestPrincipals'],
  ['namespaces', 'notNamespaces'],
  ['serviceAccounts', 'notServiceAccounts'],
  ['ipBlocks', 'notIpBlocks'],
  ['remoteIpBlocks', 'notRemoteIpBlocks'],
  ['hosts', 'notHosts'],
  ['ports', 'notPorts'],
  ['methods', 'notMethods'],
  ['paths', 'notPaths'],
  ['values', 'notValues'],
] as const;

function* policyFindings({ spec }: AuthorizationPolicy): Iterable<Finding> {
  for (const [index, { from = [], to = [], when = [] }] of (spec?.rules ?? []).entries()) {
    const base = `spec.rules[${index}]`;
    const parts = [
      ...from.map(({ source }, at) => [`${base}.from[${at}].source`, source] as const),
      ...to.map(({ operation }, at) => [`${base}.to[${at}].operation`, operation] as const),
      ...when.map((condition, at) => [`${base}.when[${at}]`, condition] as const),
    ];
    for (const [path, part] of parts) {
      const found = contradiction((part ?? {}) as Readonly<Record<string, unknown>>);
      if (found !== null) {
        yield ['AQF0105', path, `${path} never matches: ${found[1]} excludes all of ${found[0]}`];
      }
    }
  }
}

function contradiction(part: Readonly<Record<string, unknown>>): readonly [string, string] | null {
  const listOf = (name: string): readonly string[] => (part[name] as string[] | undefined) ?? [];
  const found = OPPOSITES.find(([wanted, unwanted]) => {
    const excluded = listOf(unwanted);
    const values = listOf(wanted);
    return values.length > 0 && values.every((value) => excluded.includes(value));
  });
  return found ?? null;
}

/** Of matches that are equal the first one wins. */
function* routeFindings({ spec }: HTTPRoute): Iterable<Finding> {
  const seen: { readonly path: string; readonly match: unknown }[] = [];
  for (const [rule, { matches = [{}] }] of (spec?.rules ?? []).entries()) {
    for (const [index, match] of matches.entries()) {
      const path = `spec.rules[${rule}].matches[${index}]`;
      const earlier = seen.find((other) => isDeepStrictEqual(other.match, match));
      if (earlier !== undefined) {
        yield [
          'AQF0105',
          path,
          `${path} never matches: ${earlier.path} is the same and comes first`,
        ];
      }
      seen.push({ path, match });
    }
  }
}

function* virtualServiceFindings({ spec }: VirtualService): Iterable<Finding> {
  const routes = (spec?.http ?? []) as readonly { readonly match?: readonly object[] }[];
  const first = routes.findIndex(
    ({ match = [] }) => match.length === 0 || match.some((each) => Object.keys(each).length === 0),
  );
  if (first < 0) return;
  for (let index = first + 1; index < routes.length; index++) {
    const path = `spec.http[${index}]`;
    const message = `${path} is never reached: spec.http[${first}] matches every request`;
    yield ['IST0130', path, message];
  }
}

function* namespaceFindings(namespace: Namespace): Iterable<Finding> {
  const labels = labelsOf(namespace);
  if (labels[DATAPLANE_MODE_LABEL] !== 'ambient') return;
  const isInjected = labels['istio-injection'] === 'enabled' || 'istio.io/rev' in labels;
  if (!isInjected) return;
  const message = `the namespace asks for sidecars and for ${DATAPLANE_MODE_LABEL}=ambient; pods with a sidecar are left out of ambient`;
  yield ['IST0123', 'metadata.labels', message];
}
