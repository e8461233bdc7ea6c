import { type KnownPolicy, WorkloadStore } from '@aquifer/control-plane-client/store';
import { authorize, type PeerConnection, policyKey, type Workload } from '@aquifer/model';
import { TimeSlice } from '@aquifer/runtime';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { IPS, NAMESPACES, toBatch, updateSeries } from '../../../../test/fixtures/mesh-updates.ts';
import { runs } from '../../../../test/fuzz/runs.ts';
import { OwnPod } from '../policy/own-pod.ts';
import { OwnPods } from '../policy/own-pods.ts';
import { PolicyTable } from '../policy/policy-table.ts';
import { Rejudgement } from '../policy/rejudgement.ts';
import { OpenConnections } from './open-connections.ts';

const POD = { uid: 'a', namespace: 'shop', name: 'w0', serviceAccount: 'w0', captureDns: false };

const CALLERS: readonly PeerConnection[] = IPS.flatMap((sourceIp) =>
  [...NAMESPACES, null].map((namespace) => ({
    sourceIdentity:
      namespace === null
        ? null
        : { trustDomain: 'cluster.local', namespace, serviceAccount: 'caller' },
    sourceIp,
    destinationIp: '10.0.0.9',
    destinationPort: 80,
  })),
);

/** One captured pod, from the store to its open connections, as main thread and data-plane thread have it. */
class CapturedPodUnderTest {
  readonly store = new WorkloadStore();
  readonly open = new Set<PeerConnection>();
  /** The last version of the pod's workload that was known. */
  known: Workload | null = null;
  readonly #pods = new OwnPods(this.store, { clusterId: 'Kubernetes', nodeName: 'node-1' });
  readonly #table = new PolicyTable();
  readonly #own = new OwnPod(POD);
  readonly #connections = new OpenConnections(this.#own);
  readonly #rejudgement = new Rejudgement();
  /** Listed policies that were not there when the workload was known last, and have not come since. */
  #deniedBefore: readonly KnownPolicy[] = [];

  constructor() {
    this.#pods.add(POD);
    this.store.onChange(() => this.#passOn());
  }

  call(peer: PeerConnection): boolean {
    const addresses = {
      src: { ip: peer.sourceIp, port: 1 },
      originalDst: null,
      actualDst: { ip: peer.destinationIp, port: peer.destinationPort },
      protocol: 'TCP' as const,
    };
    const terminate = () => this.open.delete(peer);
    const { verdict } = this.#connections.admit({ peer, addresses, terminate });
    if (verdict.allowed) this.open.add(peer);
    return verdict.allowed;
  }

  /** As if nothing had been compiled or kept. */
  judgeAnew(peer: PeerConnection): boolean {
    if (this.known === null) return false;
    const policies = this.#isKnown()
      ? this.store.policiesFor(this.known)
      : [...this.#present(this.known), ...this.#deniedBefore];
    return authorize(
      policies.map(({ policy }) => policy),
      peer,
    ).allowed;
  }

  #isKnown(): boolean {
    return this.store.snapshot.pods(POD.namespace, POD.name).length > 0;
  }

  #present(workload: Workload): readonly KnownPolicy[] {
    return this.store.policiesFor(workload).filter(({ isAbsent }) => !isAbsent);
  }

  #passOn(): void {
    const { added, pods, removed } = this.#pods.changes();
    this.#table.add(added);
    for (const { workload, policies } of pods) {
      this.known = workload ?? this.known;
      if (workload !== null) {
        const listed = this.store.policiesFor(workload);
        this.#deniedBefore = listed.filter(({ isAbsent }) => isAbsent);
      } else if (this.known !== null) {
        const come = this.#present(this.known).map(({ policy }) => policyKey(policy));
        this.#deniedBefore = this.#deniedBefore.filter(
          ({ policy }) => !come.includes(policyKey(policy)),
        );
      }
      const before = this.#own.policies;
      this.#own.update(workload, this.#table.combine(policies));
      if (before !== this.#own.policies) this.#rejudgement.request(this.#connections);
    }
    this.#table.remove(removed);
  }
}

test('a connection that is open through any series of updates is cut when a fresh judgement refuses it, and only then (C102, C104)', async () => {
  await fc.assert(
    fc.asyncProperty(updateSeries, fc.array(fc.nat(CALLERS.length - 1)), async (series, calls) => {
      const pod = new CapturedPodUnderTest();
      let expected = new Set<PeerConnection>();
      const next = calls.values();
      for (const updates of series) {
        const batch = toBatch(updates);
        if (updates.some(({ type }) => type === 'policy')) await pod.store.applyPolicies(batch);
        else await pod.store.applyAddresses(batch);
        if (updates.length % 3 === 0) pod.store.settlePolicies();
        // What is judged in slices has been judged.
        await new TimeSlice(0).next();
        expected = new Set([...expected].filter((peer) => pod.judgeAnew(peer)));
        expect(pod.open).toEqual(expected);
        const peer = { ...CALLERS[next.next().value ?? 0]! };
        const isAllowed = pod.judgeAnew(peer);
        expect(pod.call(peer)).toBe(isAllowed);
        if (isAllowed) expected.add(peer);
      }
    }),
    runs(300),
  );
}, 60_000);

test('thousands of connections are judged again while other work of the thread goes on', async () => {
  const own = new OwnPod(POD);
  const connections = new OpenConnections(own);
  const table = new PolicyTable();
  own.update(null, table.combine([]));
  let cut = 0;
  const terminate = () => {
    cut += 1;
  };
  const peer = CALLERS[0]!;
  const address = { ip: peer.sourceIp, port: 1 };
  const addresses = {
    src: address,
    originalDst: null,
    actualDst: address,
    protocol: 'TCP' as const,
  };
  for (let i = 0; i < 20_000; i++) connections.admit({ peer, addresses, terminate });
  const policy = {
    ...{ name: 'p', namespace: 'shop', groups: [[]], dryRun: false },
    ...({ action: 'deny', scope: 'namespace' } as const),
  };
  table.add([{ id: 1, policy }]);
  own.update(null, table.combine([1]));
  let otherWork = 0;
  const ticking = setInterval(() => {
    otherWork += 1;
  });
  await connections.judgeAgain(new TimeSlice(0.5));
  clearInterval(ticking);
  expect(cut).toBe(20_000);
  expect(otherWork).toBeGreaterThan(1);
});
