import { hasLabels } from '@aquifer/model/kubernetes';
import type { ObjectMeta } from '@aquifer/model/resources';

/** A policy for workloads that it selects, or for targets. */
interface SelectingPolicy {
  readonly metadata: ObjectMeta;
  readonly spec?:
    | {
        readonly selector?:
          | { readonly matchLabels?: Readonly<Record<string, string>> | undefined }
          | undefined;
        readonly targetRef?: TargetRef | undefined;
        readonly targetRefs?: readonly TargetRef[] | undefined;
      }
    | undefined;
}

interface TargetRef {
  readonly group?: string | undefined;
  readonly kind: string;
  readonly name: string;
}

export interface SelectedWorkload {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Name of the Gateway of the Gateway API that it runs; null for what is none. */
  readonly gateway: string | null;
}

/** Those of the root namespace and of the workload's that select it, or its Gateway; what has other targets is for others. */
export function selectedPolicies<Policy extends SelectingPolicy>(
  policiesIn: (namespace: string) => readonly Policy[],
  { namespace, labels, gateway }: SelectedWorkload,
  rootNamespace: string,
): readonly Policy[] {
  return [...new Set([rootNamespace, namespace])].flatMap(policiesIn).filter((policy) => {
    const { selector, targetRef, targetRefs = [] } = policy.spec ?? {};
    const targets = targetRef === undefined ? targetRefs : [targetRef, ...targetRefs];
    if (targets.length === 0) return hasLabels(selector?.matchLabels ?? {}, labels);
    return (
      (policy.metadata.namespace ?? '') === namespace &&
      targets.some(
        ({ group, kind, name }) => group === GATEWAY_API && kind === 'Gateway' && name === gateway,
      )
    );
  });
}

const GATEWAY_API = 'gateway.networking.k8s.io';
