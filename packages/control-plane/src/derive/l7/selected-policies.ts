import type { ObjectMeta } from '@aquifer/model/resources';
import { GATEWAY_NAME_LABEL } from '../labels.ts';
import { hasLabels } from '../selectors.ts';

interface Target {
  readonly group?: string | undefined;
  readonly kind: string;
  readonly name: string;
}

/** A policy for workloads that it selects, or for targets. */
interface SelectingPolicy {
  readonly metadata: ObjectMeta;
  readonly spec?:
    | {
        readonly selector?:
          | { readonly matchLabels?: Readonly<Record<string, string>> | undefined }
          | undefined;
        readonly targetRef?: Target | undefined;
        readonly targetRefs?: readonly Target[] | undefined;
      }
    | undefined;
}

interface SelectedWorkload {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** Those of the root namespace and of the workload's that select it; what has targets is for others. */
export function selectedPolicies<Policy extends SelectingPolicy>(
  policiesIn: (namespace: string) => readonly Policy[],
  workload: SelectedWorkload,
  rootNamespace: string,
): readonly Policy[] {
  return [...new Set([rootNamespace, workload.namespace])]
    .flatMap(policiesIn)
    .filter((policy) => targetsOf(policy).length === 0 && isSelected(policy, workload));
}

/** As well those with the Gateway as target that the proxy serves, as its label says (spec control-plane 6.3). */
export function gatewayPolicies<Policy extends SelectingPolicy>(
  policiesIn: (namespace: string) => readonly Policy[],
  workload: SelectedWorkload,
  rootNamespace: string,
): readonly Policy[] {
  const gateway = workload.labels[GATEWAY_NAME_LABEL];
  const targeting = policiesIn(workload.namespace).filter((policy) =>
    targetsOf(policy).some(
      ({ group, kind, name }) =>
        group === 'gateway.networking.k8s.io' && kind === 'Gateway' && name === gateway,
    ),
  );
  return [...new Set([...selectedPolicies(policiesIn, workload, rootNamespace), ...targeting])];
}

function targetsOf({ spec = {} }: SelectingPolicy): readonly Target[] {
  const { targetRef, targetRefs = [] } = spec;
  return targetRef === undefined ? targetRefs : [targetRef, ...targetRefs];
}

function isSelected({ spec = {} }: SelectingPolicy, { labels }: SelectedWorkload): boolean {
  return hasLabels(spec.selector?.matchLabels ?? {}, labels);
}
