import { authorize, type Workload } from '@aquifer/model';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  finalBatch,
  HOSTNAMES,
  IPS,
  NAMESPACES,
  SERVICE_KEYS,
  toBatch,
  type Update,
  updateSeries,
  VIPS,
} from '../../../../test/fixtures/mesh-updates.ts';
import { runs } from '../../../../test/fuzz/runs.ts';
import { SnapshotReader, type WorkloadSnapshot } from './snapshot.ts';
import { WorkloadStore } from './workload-store.ts';

/** Every answer that a decision could ask for. */
function answers(view: WorkloadSnapshot) {
  return {
    byAddress: IPS.map((ip) => view.workloadByAddress('', ip)),
    byVip: [...VIPS, '10.96.7.7'].flatMap((ip) =>
      [...NAMESPACES, 'other'].map((namespace) => view.serviceByVip('', ip, namespace)),
    ),
    byHostname: HOSTNAMES.map((hostname) => view.servicesByHostname(hostname)),
    services: SERVICE_KEYS.map((key) => view.service(key)),
    endpoints: SERVICE_KEYS.map((key) => view.endpoints(key)),
    pods: NAMESPACES.map((namespace) => view.pods(namespace, 'w0')),
  };
}

function workloadsOf(store: WorkloadStore): Workload[] {
  return [...store.snapshot.records()]
    .map((place) => store.snapshot.read(place))
    .filter((found) => 'uid' in found);
}

/** Whether each workload lets somebody in, once everything that was on its way has had its time. */
function verdicts(store: WorkloadStore): Record<string, boolean> {
  store.settlePolicies();
  store.settlePolicies();
  const connection = {
    sourceIdentity: null,
    sourceIp: '10.0.0.1',
    destinationIp: '10.0.0.2',
    destinationPort: 80,
  };
  const decided = workloadsOf(store).map((workload) => {
    const policies = store.policiesFor(workload).map(({ policy }) => policy);
    return [workload.uid, authorize(policies, connection).allowed];
  });
  return Object.fromEntries(decided) as Record<string, boolean>;
}

test('after any series of updates a store answers as one made of what is in force', async () => {
  await fc.assert(
    fc.asyncProperty(updateSeries, async (series) => {
      const store = new WorkloadStore();
      const thread = new SnapshotReader();
      const known = new Map<string, Workload>();
      store.onChange((change) => {
        if (change.kind === 'snapshot') thread.apply(change.delta);
      });
      const follow = new WorkloadStore({
        onWorkload: (before, after) => {
          expect(known.get((before ?? after)!.uid)).toEqual(before ?? undefined);
          if (after === null) known.delete(before!.uid);
          else known.set(after.uid, after);
        },
      });
      const past: { readonly snapshot: WorkloadSnapshot; readonly said: unknown }[] = [];
      for (const updates of series) {
        const batch = toBatch(updates);
        if (updates.some(({ type }) => type === 'policy')) await store.applyPolicies(batch);
        else {
          await store.applyAddresses(batch);
          await follow.applyAddresses(batch);
        }
        past.push({ snapshot: thread.current, said: answers(thread.current) });
      }
      const fresh = new WorkloadStore();
      await fresh.applyAddresses(finalBatch(series, 'address'));
      await fresh.applyPolicies(finalBatch(series, 'policy'));
      expect(answers(thread.current)).toEqual(answers(fresh.snapshot));
      expect(workloadsOf(store)).toEqual(workloadsOf(fresh));
      expect(new Map(workloadsOf(store).map((each) => [each.uid, each]))).toEqual(known);
      expect(verdicts(store)).toEqual(verdicts(fresh));
      for (const { snapshot, said } of past) expect(answers(snapshot)).toEqual(said);
    }),
    runs(300),
  );
}, 60_000);

test('a response that removes what it sends, sends a name twice, or removes what never came, is applied removals first', async () => {
  await fc.assert(
    fc.asyncProperty(updateSeries, async (series) => {
      const store = new WorkloadStore();
      const force = new Map<string, Update>();
      const applied = series.map((updates) => {
        const addresses = updates.filter(({ type }) => type === 'address');
        const removed = addresses.filter(({ body }) => body === null).map(({ name }) => name);
        const sent = addresses.filter(({ body }) => body !== null);
        for (const name of removed) force.delete(name);
        for (const update of new Map(sent.map((each) => [each.name, each])).values()) {
          if (!update.isValid) continue;
          force.delete(update.name);
          force.set(update.name, update);
        }
        const resources = sent.map(({ name, body }) => ({ name, body: body! }));
        return store.applyAddresses({ resources, removed });
      });
      await Promise.all(applied);
      const fresh = new WorkloadStore();
      await fresh.applyAddresses(toBatch([...force.values()]));
      expect(answers(store.snapshot)).toEqual(answers(fresh.snapshot));
      expect(workloadsOf(store)).toEqual(workloadsOf(fresh));
    }),
    { numRuns: 300 },
  );
}, 60_000);
