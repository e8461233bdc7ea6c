/** Policies that select a workload, and how they are found. */
import type { AuthorizationPolicy, RequestAuthentication } from '@aquifer/model/resources';
import type { Context } from '../../collections/cell.ts';
import type { Collection } from '../../collections/collection.ts';
import type { Graph } from '../../collections/graph.ts';
import type { ClusterInputs } from '../../ingest/cluster-inputs.ts';
import type { MeshCollections } from '../mesh-collections.ts';
import { settingsIn } from '../mesh-settings.ts';
import { namespaceOf } from '../object.ts';
import type { Judges } from './authorization.ts';
import { tokenFilters } from './request-authentication.ts';
import type { selectedPolicies } from './selected-policies.ts';

/** What holds for a workload. */
export interface Security extends Judges {
  readonly authentications: readonly RequestAuthentication[];
}

interface Selected {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
}

interface SecuritySources {
  readonly graph: Graph;
  readonly cluster: ClusterInputs;
  readonly mesh: MeshCollections;
  /** JSON Web Key Sets by address, as they were fetched. */
  readonly keySets: Collection<string>;
}

/** `choose` says which policies are for a workload; `whose` names the collections. */
export function securityLookups(
  { graph, cluster, mesh, keySets }: SecuritySources,
  whose: string,
  choose: typeof selectedPolicies,
): (workload: Selected, context: Context) => Security {
  const policies = graph.index(
    `authorization policies by namespace, for ${whose}`,
    cluster.of('AuthorizationPolicy'),
    (policy) => [namespaceOf(policy)],
  );
  const rules = graph.index(
    `token rules by namespace, for ${whose}`,
    cluster.of('RequestAuthentication'),
    (rule) => [namespaceOf(rule)],
  );
  return (workload, context) => {
    const { rootNamespace, extensionProviders } = settingsIn(mesh, context);
    const policiesIn = (namespace: string): readonly AuthorizationPolicy[] =>
      context.lookup(policies, namespace);
    const rulesIn = (namespace: string): readonly RequestAuthentication[] =>
      context.lookup(rules, namespace);
    const authentications = choose(rulesIn, workload, rootNamespace);
    return {
      policies: choose(policiesIn, workload, rootNamespace),
      authentications,
      tokens: tokenFilters(authentications, (address) => context.get(keySets, address)),
      providers: extensionProviders,
    };
  };
}
