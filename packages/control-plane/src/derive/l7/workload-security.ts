/** What AuthorizationPolicies and RequestAuthentications ask of a workload that enforces them itself: a sidecar's, or a gateway. */
import type { RequestAuthentication } from '@aquifer/model/resources';
import type { Context } from '../../collections/cell.ts';
import { settingsIn } from '../mesh-settings.ts';
import { namespaceOf } from '../object.ts';
import type { Judges } from './authorization.ts';
import { tokenFilters } from './request-authentication.ts';
import { type SelectedWorkload, selectedPolicies } from './selected-policies.ts';
import type { ProxyInputs } from './sidecar/scope-inputs.ts';

export interface Security extends Judges {
  readonly authentications: readonly RequestAuthentication[];
}

export function workloadSecurity({
  graph,
  cluster,
  mesh,
  keySets,
}: ProxyInputs): (workload: SelectedWorkload, context: Context) => Security {
  const policies = graph.index(
    'authorization policies by namespace',
    cluster.of('AuthorizationPolicy'),
    (policy) => [namespaceOf(policy)],
  );
  const rules = graph.index(
    'token rules by namespace',
    cluster.of('RequestAuthentication'),
    (rule) => [namespaceOf(rule)],
  );
  return (workload, context) => {
    const { rootNamespace, extensionProviders } = settingsIn(mesh, context);
    const policiesIn = (namespace: string) => context.lookup(policies, namespace);
    const rulesIn = (namespace: string) => context.lookup(rules, namespace);
    const authentications = selectedPolicies(rulesIn, workload, rootNamespace);
    return {
      policies: selectedPolicies(policiesIn, workload, rootNamespace),
      authentications,
      tokens: tokenFilters(authentications, (address) => context.get(keySets, address)),
      providers: extensionProviders,
      unaskableBytes: 'passed',
    };
  };
}
