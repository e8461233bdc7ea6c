import { quantityValue } from './quantity.ts';

/** How readily a node takes resources away from a pod. */
export type QosClass = 'Guaranteed' | 'Burstable' | 'BestEffort';

type Amounts = Readonly<Record<string, unknown>> | undefined;

interface Containers {
  readonly resources?: { readonly limits?: Amounts; readonly requests?: Amounts } | undefined;
}

interface PodResources {
  readonly containers?: readonly Containers[] | undefined;
  readonly initContainers?: readonly Containers[] | undefined;
}

/** Other resources do not count. */
const COUNTED = ['cpu', 'memory'] as const;

/**
 * Of a pod's spec whose defaults are set, requests from limits among them; amounts are compared as such: `1` is `1000m`
 * (https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/).
 */
export function qosClass({ containers = [], initContainers = [] }: PodResources): QosClass {
  const asked = [...containers, ...initContainers].flatMap(({ resources }) =>
    COUNTED.map((name) => ({
      limit: amountOf(resources?.limits, name),
      request: amountOf(resources?.requests, name),
    })),
  );
  if (asked.every(({ limit, request }) => limit === 0 && request === 0)) return 'BestEffort';
  const isGuaranteed = asked.every(({ limit, request }) => limit > 0 && isSame(limit, request));
  return isGuaranteed ? 'Guaranteed' : 'Burstable';
}

function amountOf(amounts: Amounts, name: string): number {
  return quantityValue(amounts?.[name] ?? 0);
}

/** The same amount in two spellings may differ by a rounding. */
function isSame(one: number, other: number): boolean {
  return Math.abs(one - other) <= 1e-9 * one;
}
