/** Policies as collections: what node proxies are sent of them, and what their statuses say. */
import type { Authorization } from '@aquifer/model';
import type { AuthorizationPolicy, PeerAuthentication } from '@aquifer/model/resources';
import type { Collection, Index } from '../collections/collection.ts';
import type { Graph } from '../collections/graph.ts';
import type { ClusterInputs } from '../ingest/cluster-inputs.ts';
import { type SettingsCollections, settingsIn } from './mesh-settings.ts';
import { namespaceOf, refTo } from './object.ts';
import {
  convertPeerAuthentication,
  hasSelector,
  inheritedPeerAuthentication,
  staticStrictPolicy,
} from './peer-authentication.ts';
import { convertPolicy, type PolicyVerdict } from './policies.ts';
import { authorizationResource, isSameResource, type Resource } from './resource.ts';
import { type ServiceCollections, sourceKey } from './service-collections.ts';
import { type AttachmentVerdict, deriveAttachment } from './waypoint-policies.ts';
import type { Waypoint } from './waypoints.ts';

/** What an AuthorizationPolicy becomes at node proxies, and what its status says. */
export interface PolicyEntry {
  readonly policy: AuthorizationPolicy;
  /** Null if node proxies are not sent it. */
  readonly resource: Resource<Authorization> | null;
  readonly verdict: PolicyVerdict | null;
  readonly attachment: AttachmentVerdict | null;
}

interface PolicyInputs {
  readonly graph: Graph;
  readonly cluster: ClusterInputs;
  readonly mesh: SettingsCollections;
  readonly waypoints: Collection<Waypoint>;
  readonly services: ServiceCollections;
}

export function policyEntries(inputs: PolicyInputs): Collection<PolicyEntry> {
  const { graph, cluster, mesh, waypoints, services } = inputs;
  return graph.map('policies', cluster.of('AuthorizationPolicy'), (policy, context) => {
    const { rootNamespace } = settingsIn(mesh, context);
    const { authorization, verdict } = convertPolicy(policy, rootNamespace);
    return {
      policy,
      resource: authorization && authorizationResource(authorization, [refTo(policy)]),
      verdict,
      attachment: deriveAttachment(policy, {
        cluster: cluster.readerOf(context),
        boundTo: (...object) =>
          context.lookup(services.servicesBySource, sourceKey(...object))[0]?.waypoints[0],
        waypoints: { get: (key) => context.get(waypoints, key) },
        rootNamespace,
      }),
    };
  });
}

/** Of AuthorizationPolicies, of PeerAuthentications with ports, and the one that refuses plaintext. */
export function authorizationResources(
  { graph, cluster, mesh }: Pick<PolicyInputs, 'graph' | 'cluster' | 'mesh'>,
  policies: Collection<PolicyEntry>,
  peers: Index<PeerAuthentication>,
): Collection<Resource<Authorization>> {
  const own = graph.map(
    'authorizations of policies',
    policies,
    ({ resource }) => resource,
    isSameResource,
  );
  const converted = graph.flatMap(
    'authorizations of peer policies',
    cluster.of('PeerAuthentication'),
    (peer, context) => {
      const namespace = namespaceOf(peer);
      const { rootNamespace } = settingsIn(mesh, context);
      if (namespace === rootNamespace || !hasSelector(peer)) return [];
      const inherited = inheritedPeerAuthentication(
        context.lookup(peers, rootNamespace),
        context.lookup(peers, namespace),
      );
      const authorization = convertPeerAuthentication(peer, inherited);
      if (authorization === null) return [];
      const resource = authorizationResource(authorization, [refTo(peer)]);
      return [[resource.name, resource]];
    },
    isSameResource,
  );
  const all = graph.index('peer policies', cluster.of('PeerAuthentication'), () => ['']);
  const strict = graph.flatMap(
    'static strict policy',
    mesh.settings,
    ({ rootNamespace }, context) => {
      const found = context.lookup(all, '');
      if (found.length === 0) return [];
      const sources = found.filter(({ spec }) => spec?.mtls?.mode === 'STRICT').map(refTo);
      const resource = authorizationResource(staticStrictPolicy(rootNamespace), sources);
      return [[resource.name, resource]];
    },
    isSameResource,
  );
  return graph.union('authorizations', own, converted, strict);
}
