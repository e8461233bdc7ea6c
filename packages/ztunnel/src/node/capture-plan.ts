import type { EnrolledPod } from './enrolled-pod.ts';
import type { PodProcesses } from './node-scan.ts';

/** A network namespace of the node, as it is now. */
export interface ObservedNamespace {
  readonly inode: number;
  readonly pods: readonly PodProcesses[];
  readonly addresses: ReadonlySet<string>;
  /** Whether it has rules of this node's proxy, whichever process wrote them. */
  readonly isMarked: boolean;
  /** Another number after every change of its rules. */
  readonly generation: number;
}

/** A namespace in which this process has listeners, or had begun to make them. */
export interface HeldNamespace {
  readonly inode: number;
  readonly pod: EnrolledPod;
  /** The generation right after this process last wrote the rules; null while they are not as the pod wants them. */
  readonly generation: number | null;
}

/** What brings the node one step closer to what is wanted. */
export type CaptureAction =
  /** Listeners and rules, as far as they are missing or differ. */
  | { readonly kind: 'capture'; readonly pod: EnrolledPod; readonly inode: number }
  /** Rules and listeners go. */
  | { readonly kind: 'release'; readonly pod: EnrolledPod; readonly inode: number }
  /** The rules of an earlier process go, from a pod that is not wanted any more. */
  | { readonly kind: 'release-orphan'; readonly inode: number }
  /** Only listeners go: the pod is in another namespace now, or there never were rules. */
  | { readonly kind: 'abandon'; readonly pod: EnrolledPod; readonly inode: number }
  /** Nothing can be done yet. */
  | { readonly kind: 'wait'; readonly pod: EnrolledPod; readonly reason: string };

/**
 * Compares what the control plane wants with what the node has. Pure; nothing to do is an empty list. Namespaces of
 * wanted pods are never released, whatever else is wrong with them.
 */
export function planCapture(
  desired: ReadonlyMap<string, EnrolledPod>,
  namespaces: readonly ObservedNamespace[],
  held: readonly HeldNamespace[],
): CaptureAction[] {
  const byInode = new Map(namespaces.map((namespace) => [namespace.inode, namespace]));
  const heldByUid = new Map(held.map((each) => [each.pod.uid, each]));
  const wantedIds = new Set([...desired.values()].flatMap(({ cgroupIds }) => cgroupIds));
  const heldInodes = new Set(held.map(({ inode }) => inode));
  const ofPods = [...desired.values()].map((pod) =>
    actionFor(pod, heldByUid.get(pod.uid), { namespaces, byInode }),
  );
  const leaving = held
    .filter(({ pod }) => !desired.has(pod.uid))
    .map(({ pod, inode, generation }): CaptureAction => {
      const hasRules = generation !== null || byInode.get(inode)?.isMarked === true;
      return { kind: hasRules ? 'release' : 'abandon', pod, inode };
    });
  const orphans = namespaces
    .filter(({ isMarked, inode }) => isMarked && !heldInodes.has(inode))
    .filter(({ pods }) => !pods.some(({ cgroupId }) => wantedIds.has(cgroupId)))
    .map(({ inode }): CaptureAction => ({ kind: 'release-orphan', inode }));
  return [...ofPods.filter((action) => action !== null), ...leaving, ...orphans];
}

function actionFor(
  pod: EnrolledPod,
  held: HeldNamespace | undefined,
  node: {
    readonly namespaces: readonly ObservedNamespace[];
    readonly byInode: ReadonlyMap<number, ObservedNamespace>;
  },
): CaptureAction | null {
  const place = findNamespace(pod, node.namespaces);
  if (held === undefined) {
    if (typeof place === 'string')
      return isPlaced(pod) ? { kind: 'wait', pod, reason: place } : null;
    return { kind: 'capture', pod, inode: place.inode };
  }
  // A pod without a process for a moment is where it was.
  const isElsewhere = typeof place !== 'string' && place.inode !== held.inode;
  if (isElsewhere) return { kind: 'abandon', pod: held.pod, inode: held.inode };
  const observed = node.byInode.get(held.inode);
  const isIntact =
    held.generation !== null &&
    held.generation === observed?.generation &&
    observed.isMarked &&
    held.pod.bypassInbound === pod.bypassInbound &&
    held.pod.captureDns === pod.captureDns;
  return isIntact ? null : { kind: 'capture', pod, inode: held.inode };
}

/** Before it has an address a pod is nowhere, unless the container runtime says where. */
function isPlaced({ addresses }: EnrolledPod): boolean {
  return addresses.length > 0;
}

/** Where the container runtime says; else the namespace of the pod's oldest process that has one of the pod's addresses; or why there is none, for people. */
function findNamespace(
  pod: EnrolledPod,
  namespaces: readonly ObservedNamespace[],
): ObservedNamespace | string {
  const isOf = ({ cgroupId }: PodProcesses): boolean => pod.cgroupIds.includes(cgroupId);
  const announced = namespaces.find(({ pods }) =>
    pods.some((processes) => processes.isAnnounced && isOf(processes)),
  );
  if (announced !== undefined) return announced;
  const sinceIn = ({ pods }: ObservedNamespace): number =>
    Math.min(...pods.filter(isOf).map(({ since }) => since));
  const candidates = namespaces
    .map((namespace) => ({ namespace, since: sinceIn(namespace) }))
    .filter(({ since }) => since !== Infinity)
    .toSorted((a, b) => a.since - b.since);
  if (candidates.length === 0) return 'no process of the pod is running on this node';
  const owner = candidates.find(({ namespace }) =>
    pod.addresses.some((address) => namespace.addresses.has(address)),
  );
  const missing = `the pod's processes have none of the addresses ${pod.addresses.join(', ')}`;
  return owner?.namespace ?? missing;
}
