import type { ObjectMeta } from '@aquifer/model/resources';
import { hasLabels } from '../selectors.ts';

/** A policy for workloads that it selects, or for targets. */
interface SelectingPolicy {
  readonly metadata: ObjectMeta;
  readonly spec?:
    | {
        readonly selector?:
          | { readonly matchLabels?: Readonly<Record<string, string>> | undefined }
          | undefined;
        readonly targetRef?: object | undefined;
        readonly targetRefs?: readonly object[] | undefined;
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
  { namespace, labels }: SelectedWorkload,
  rootNamespace: string,
): readonly Policy[] {
  return [...new Set([rootNamespace, namespace])].flatMap(policiesIn).filter(({ spec = {} }) => {
    const { selector, targetRef, targetRefs = [] } = spec;
    if (targetRef !== undefined || targetRefs.length > 0) return false;
    return hasLabels(selector?.matchLabels ?? {}, labels);
  });
}
