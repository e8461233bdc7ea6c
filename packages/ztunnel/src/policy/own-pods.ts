import type { KnownPolicy, WorkloadStore } from '@aquifer/control-plane-client/store';
import { formatIdentity, policyKey, type Workload } from '@aquifer/model';
import type { OwnPodState } from '../data-plane/thread-messages.ts';
import type { CapturedPod } from './captured-pod.ts';
import type { VersionedPolicy } from './policy-table.ts';

/** What the threads do not know yet. */
export interface OwnPodChanges {
  readonly added: readonly VersionedPolicy[];
  readonly pods: readonly OwnPodState[];
  /** Ids of policies that no pod has any more. */
  readonly removed: readonly number[];
}

interface Followed {
  readonly pod: CapturedPod;
  /** What the threads have been told last; null before. */
  told: { readonly workload: Workload | null; readonly ids: string } | null;
  /** The last workload that was known. */
  known: Workload | null;
  policies: readonly KnownPolicy[];
}

/**
 * The captured pods of this node, on the main thread: which workload each is, and which policies select it. Threads hear
 * of what changed for their pods, and of nothing else.
 */
export class OwnPods {
  readonly #store: WorkloadStore;
  readonly #place: { readonly clusterId: string; readonly nodeName: string };
  readonly #pods = new Map<string, Followed>();
  /** Ids of the policies that the threads have. */
  #sent: ReadonlySet<number> = new Set();

  constructor(
    store: WorkloadStore,
    place: { readonly clusterId: string; readonly nodeName: string },
  ) {
    this.#store = store;
    this.#place = place;
  }

  add(pod: CapturedPod): void {
    if (this.#pods.has(pod.uid)) return;
    this.#pods.set(pod.uid, { pod, told: null, known: null, policies: [] });
  }

  /** Returns what it was. */
  remove(uid: string): CapturedPod | null {
    const pod = this.#pods.get(uid)?.pod ?? null;
    this.#pods.delete(uid);
    return pod;
  }

  /** Identities that captured pods prove. */
  identities(): ReadonlySet<string> {
    const known = [...this.#pods.values()].map((followed) => followed.known);
    return new Set(known.filter((workload) => workload !== null).map(formatIdentity));
  }

  /** To be asked after each change. */
  changes(): OwnPodChanges {
    const pods: OwnPodState[] = [];
    const needed = new Map<number, KnownPolicy>();
    for (const followed of this.#pods.values()) {
      const state = this.#follow(followed);
      if (state !== null) pods.push(state);
      for (const known of followed.policies) needed.set(known.id, known);
    }
    const added = [...needed.values()]
      .filter(({ id }) => !this.#sent.has(id))
      .map(({ id, policy }) => ({ id, policy }));
    const removed = [...this.#sent].filter((id) => !needed.has(id));
    this.#sent = new Set(needed.keys());
    return { added, pods, removed };
  }

  /** While its workload is not known, a pod keeps the policies of the last version that was. */
  #follow(followed: Followed): OwnPodState | null {
    const { pod, told } = followed;
    const workload = this.#workloadOf(pod);
    if (workload !== null) followed.known = workload;
    if (followed.known === null) return null;
    followed.policies = this.#policiesOf(followed, followed.known, workload === null);
    const policies = followed.policies.map(({ id }) => id);
    const ids = policies.join(',');
    if (told !== null && told.workload === workload && told.ids === ids) return null;
    followed.told = { workload, ids };
    return { uid: pod.uid, workload, policies };
  }

  /**
   * What a workload that is gone for a moment lists may be gone with it: policies that are not there deny if they did
   * before, whatever other workloads make of them, until they come.
   */
  #policiesOf(
    { policies: before }: Followed,
    known: Workload,
    isGone: boolean,
  ): readonly KnownPolicy[] {
    const listed = this.#store.policiesFor(known);
    if (!isGone) return listed;
    const there = listed.filter(({ isAbsent }) => !isAbsent);
    const names = new Set(there.map(({ policy }) => policyKey(policy)));
    return [
      ...there,
      ...before.filter(({ isAbsent, policy }) => isAbsent && !names.has(policyKey(policy))),
    ];
  }

  /** Never a pod of the same name in another cluster; of this one rather that on this node. */
  #workloadOf({ namespace, name, serviceAccount }: CapturedPod): Workload | null {
    const { clusterId, nodeName } = this.#place;
    const candidates = this.#store.snapshot
      .pods(namespace, name)
      .filter((each) => each.clusterId === clusterId && each.serviceAccount === serviceAccount);
    return candidates.find(({ node }) => node === nodeName) ?? candidates[0] ?? null;
  }
}
