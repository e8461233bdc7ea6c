import { WorkloadStore } from '@aquifer/control-plane-client/store';
import type { Workload } from '@aquifer/model';
import { encodeAuthorization } from '@aquifer/wire';
import { AuthorizationSchema } from '@aquifer/wire/gen/istio/security_pb';
import { toBinary } from '@bufbuild/protobuf';
import { beforeEach, expect, test } from 'vitest';
import { aWorkload } from '../../../../test/fixtures/mesh-objects.ts';
import { addressResources } from '../../../../test/fixtures/test-data-plane.ts';
import { OwnPods } from './own-pods.ts';

const POD = { uid: 'a', namespace: 'shop', name: 'web', serviceAccount: 'web', captureDns: false };
const OURS = aWorkload({ name: 'web', addresses: ['10.0.0.2'] });
const THEIRS: Workload = {
  ...aWorkload({ name: 'web', addresses: ['10.9.0.2'], clusterId: 'second' }),
  uid: 'second//Pod/shop/web',
};

let store: WorkloadStore;
let own: OwnPods;

async function apply(workloads: readonly Workload[], removed: readonly Workload[] = []) {
  const gone = removed.map(({ uid }) => uid);
  await store.applyAddresses({ resources: addressResources(workloads, []), removed: gone });
  return own.changes();
}

async function applyPolicy(action: 'allow' | 'deny') {
  const policy = {
    ...{ name: 'p', namespace: 'shop', action, groups: [[]], dryRun: false },
    scope: 'namespace' as const,
  };
  const body = toBinary(AuthorizationSchema, encodeAuthorization(policy));
  await store.applyPolicies({ resources: [{ name: 'shop/p', body }], removed: [] });
  return own.changes();
}

beforeEach(() => {
  store = new WorkloadStore();
  own = new OwnPods(store, { clusterId: 'Kubernetes', nodeName: 'node-1' });
  own.add(POD);
});

test('a pod of the same name in another cluster is never taken for the captured one', async () => {
  expect((await apply([THEIRS])).pods).toEqual([]);
  expect((await apply([OURS])).pods).toEqual([{ uid: 'a', workload: OURS, policies: [] }]);
  expect((await apply([THEIRS])).pods).toEqual([]);
  expect((await apply([], [OURS])).pods).toEqual([{ uid: 'a', workload: null, policies: [] }]);
});

test('a pod is found by a uid with the version of its kind, as files have it', async () => {
  const uid = 'cluster1//v1/Pod/shop/web';
  const { pods } = await apply([{ ...OURS, uid }]);
  expect(pods).toMatchObject([{ uid: 'a', workload: { uid } }]);
});

test('a pod of that name on this node is preferred to one that has moved to another', async () => {
  const elsewhere = { ...OURS, uid: 'Kubernetes//Pod/shop/web/moved', node: 'node-2' };
  expect((await apply([OURS, elsewhere])).pods[0]?.workload).toEqual(OURS);
});

test('a pod under another account is another pod', async () => {
  expect((await apply([{ ...OURS, serviceAccount: 'other' }])).pods).toEqual([]);
});

test('a workload that concerns no captured pod changes nothing', async () => {
  await applyPolicy('deny');
  await apply([OURS]);
  const changes = await apply([aWorkload({ name: 'other', addresses: ['10.0.0.3'] })]);
  expect(changes).toEqual({ added: [], pods: [], removed: [] });
});

test('policies that select no captured pod are not sent, and those that no longer do are taken back', async () => {
  expect((await applyPolicy('deny')).added).toEqual([]);
  const { added, pods } = await apply([OURS]);
  expect(pods[0]?.policies).toEqual(added.map(({ id }) => id));
  const changed = await applyPolicy('allow');
  expect(changed.removed).toEqual(added.map(({ id }) => id));
  own.remove(POD.uid);
  expect(own.changes().removed).toEqual(changed.added.map(({ id }) => id));
});

test('while its workload is gone, a pod keeps the policies of the last version, and follows their changes', async () => {
  await applyPolicy('deny');
  const { pods } = await apply([OURS]);
  const gone = await apply([], [OURS]);
  expect(gone.pods).toEqual([{ ...pods[0], workload: null }]);
  const [state] = (await applyPolicy('allow')).pods;
  expect(state).toMatchObject({ workload: null, policies: [expect.any(Number)] });
  expect(own.identities()).toEqual(new Set(['spiffe://cluster.local/ns/shop/sa/web']));
});

test('what denied because it was missing still does when its workload is gone and another one lists it', async () => {
  const listing = { ...OURS, authorizationPolicies: ['bank/p'] };
  await apply([listing]);
  // The first batch is all there is: what is missing then is missing.
  await store.applyPolicies({ resources: [], removed: [] });
  const [known] = own.changes().pods;
  expect(known?.policies).toHaveLength(1);
  await apply([], [OURS]);
  store.settlePolicies();
  // It has time again for the other workload.
  await apply([{ ...aWorkload({ name: 'other' }), authorizationPolicies: ['bank/p'] }]);
  store.settlePolicies();
  expect(own.changes()).toEqual({ added: [], pods: [], removed: [] });
  own.remove(POD.uid);
  expect(own.changes().removed).toEqual(known?.policies);
});
