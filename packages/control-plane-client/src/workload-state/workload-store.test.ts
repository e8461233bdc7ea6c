import {
  type Authorization,
  authorize,
  EMPTY_MATCH,
  type PeerConnection,
  type Service,
  type Workload,
} from '@aquifer/model';
import { encodeAuthorization, encodeService, encodeWorkload } from '@aquifer/wire';
import { AuthorizationSchema, StringMatchSchema } from '@aquifer/wire/gen/istio/security_pb';
import { AddressSchema } from '@aquifer/wire/gen/istio/workload_pb';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { aService, aWorkload } from '../../../../test/fixtures/mesh-objects.ts';
import { pickService } from './service-choice.ts';
import { WorkloadStore } from './workload-store.ts';

function workloadResource(workload: Workload) {
  const message = create(AddressSchema, {
    type: { case: 'workload', value: encodeWorkload(workload) },
  });
  return { name: workload.uid, body: toBinary(AddressSchema, message) };
}

function serviceResource(service: Service) {
  const message = create(AddressSchema, {
    type: { case: 'service', value: encodeService(service) },
  });
  return {
    name: `${service.namespace}/${service.hostname}`,
    body: toBinary(AddressSchema, message),
  };
}

async function storeOf(workloads: Workload[], services: Service[]): Promise<WorkloadStore> {
  const store = new WorkloadStore();
  const resources = [...workloads.map(workloadResource), ...services.map(serviceResource)];
  await store.applyAddresses({ resources, removed: [] });
  return store;
}

function uids(workloads: readonly Workload[]): string[] {
  return workloads.map(({ uid }) => uid);
}

test('endpoints may arrive before their service and survive its replacement (C118)', async () => {
  const server = aWorkload({
    name: 'server',
    addresses: ['10.0.0.2'],
    services: ['shop/server.test'],
  });
  const store = await storeOf([server], []);
  const service = aService({ name: 'server', hostname: 'server.test', vip: '10.96.0.1' });
  await store.applyAddresses({ resources: [serviceResource(service)], removed: [] });
  await store.applyAddresses({ resources: [serviceResource(service)], removed: [] });
  expect(uids(store.snapshot.endpoints('shop/server.test'))).toEqual([server.uid]);
  expect(store.snapshot.serviceByVip('', '10.96.0.1', 'other')?.hostname).toBe('server.test');
});

test('a removed workload takes its address and endpoints with it', async () => {
  const server = aWorkload({
    name: 'server',
    addresses: ['10.0.0.2'],
    services: ['shop/server.test'],
  });
  const store = await storeOf([server], []);
  await store.applyAddresses({ resources: [], removed: [server.uid] });
  expect(store.snapshot.workloadByAddress('', '10.0.0.2')).toBeNull();
  expect(store.snapshot.endpoints('shop/server.test')).toEqual([]);
});

test('a shared virtual address belongs to the service of the caller, else to the canonical one', async () => {
  const mine = aService({
    name: 'a',
    namespace: 'mine',
    hostname: 'x.test',
    vip: '10.96.0.1',
    canonical: false,
  });
  const canonical = aService({
    name: 'a',
    namespace: 'owner',
    hostname: 'x.test',
    vip: '10.96.0.1',
  });
  const store = await storeOf([], [mine, canonical]);
  expect(store.snapshot.serviceByVip('', '10.96.0.1', 'mine')?.namespace).toBe('mine');
  expect(store.snapshot.serviceByVip('', '10.96.0.1', 'third')?.namespace).toBe('owner');
});

test('an address is that of a pod rather than of an entry, and of the pod that came last (C132)', async () => {
  const entry = {
    ...aWorkload({ name: 'vm', addresses: ['10.0.0.2'] }),
    uid: 'c//WorkloadEntry/vm',
  };
  const old = aWorkload({ name: 'old', addresses: ['10.0.0.2'] });
  const young = aWorkload({ name: 'young', addresses: ['10.0.0.2'] });
  const store = await storeOf([old, young, entry], []);
  const owner = () => store.snapshot.workloadByAddress('', '10.0.0.2')?.uid;
  expect(owner()).toBe(young.uid);
  await store.applyAddresses({ resources: [workloadResource(old)], removed: [] });
  expect(owner()).toBe(old.uid);
  await store.applyAddresses({ resources: [], removed: [old.uid, young.uid] });
  expect(owner()).toBe(entry.uid);
});

test.for([
  [
    'the longest range that fits',
    [
      ['mine', 16],
      ['other', 24],
    ],
    'third',
    'other',
  ],
  [
    "a range of the caller's own namespace, however short",
    [
      ['mine', 16],
      ['other', 24],
    ],
    'mine',
    'mine',
  ],
  [
    'a single address before any range',
    [
      ['other', 24],
      ['third', null],
    ],
    'mine',
    'third',
  ],
] as const)(
  'a virtual address means %s (C114, C115, C116)',
  async ([, services, caller, expected]) => {
    const made = services.map(([namespace, prefixLength]) =>
      aService({
        name: 'x',
        namespace,
        addresses: [
          { network: '', address: prefixLength === 16 ? '10.96.0.0' : '10.96.1.1', prefixLength },
        ],
      }),
    );
    const { snapshot } = await storeOf([], made);
    expect(snapshot.serviceByVip('', '10.96.1.1', caller)?.namespace).toBe(expected);
    expect(snapshot.serviceByVip('other', '10.96.1.1', caller)).toBeNull();
  },
);

test('a service that its namespace keeps to itself is found by no other (C111, C112)', async () => {
  const hidden = aService({
    name: 'x',
    namespace: 'mine',
    vip: '10.96.1.1',
    visibility: 'namespace',
  });
  const range = { network: '', address: '10.96.0.0', prefixLength: 16 };
  const open = aService({ name: 'x', namespace: 'open', hostname: 'x.test', addresses: [range] });
  const { snapshot } = await storeOf([], [hidden, open]);
  const seenFrom = (namespace: string) => [
    snapshot.serviceByVip('', '10.96.1.1', namespace)?.namespace,
    pickService(snapshot.servicesByHostname(hidden.hostname), namespace)?.namespace,
  ];
  expect(seenFrom('mine')).toEqual(['mine', 'mine']);
  expect(seenFrom('third')).toEqual(['open', undefined]);
});

test('two resources of one response that describe the same workload are not both taken', async () => {
  const server = workloadResource(aWorkload({ name: 'server', addresses: ['10.0.0.2'] }));
  const store = new WorkloadStore();
  const resources = [server, { ...server, name: 'again' }];
  const rejected = await store.applyAddresses({ resources, removed: [] });
  expect(rejected.map(({ name }) => name)).toEqual(['again']);
});

test('host-network workloads are not found by address', async () => {
  const agent = aWorkload({
    name: 'agent',
    addresses: ['192.168.0.1'],
    networkMode: 'host-network',
  });
  const store = await storeOf([agent], []);
  expect(store.snapshot.workloadByAddress('', '192.168.0.1')).toBeNull();
});

test('a resource that does not decode is rejected by name and the last good one stays (C137)', async () => {
  const server = aWorkload({ name: 'server', addresses: ['10.0.0.2'] });
  const store = await storeOf([server], []);
  const broken = { name: server.uid, body: new Uint8Array([0xff, 0xff]) };
  const rejected = await store.applyAddresses({ resources: [broken], removed: [] });
  expect(rejected.map(({ name }) => name)).toEqual([server.uid]);
  expect(store.snapshot.workloadByAddress('', '10.0.0.2')?.uid).toBe(server.uid);
});

test('policies apply by namespace, globally, and by selector only to those that list them', async () => {
  const store = new WorkloadStore();
  const policy = (
    name: string,
    namespace: string,
    scope: 'global' | 'namespace' | 'workload-selector',
  ) => ({
    name: `${namespace}/${name}`,
    body: toBinary(
      AuthorizationSchema,
      encodeAuthorization({ name, namespace, scope, action: 'deny', groups: [], dryRun: false }),
    ),
  });
  const resources = [
    policy('ns', 'shop', 'namespace'),
    policy('mesh', 'istio-system', 'global'),
    policy('picked', 'shop', 'workload-selector'),
    policy('foreign', 'other', 'namespace'),
  ];
  await store.applyPolicies({ resources, removed: [] });
  const names = (workload: Workload) =>
    store.policiesFor(workload).map(({ policy }) => policy.name);
  expect(names(aWorkload({ name: 'a' }))).toEqual(['ns', 'mesh']);
  expect(names(aWorkload({ name: 'b', authorizationPolicies: ['shop/picked'] }))).toEqual([
    'ns',
    'mesh',
    'picked',
  ]);
});

function policyResource(policy: Partial<Authorization>, name = 'shop/only-admins') {
  const complete: Authorization = {
    namespace: 'shop',
    name: 'only-admins',
    scope: 'workload-selector',
    action: 'allow',
    groups: [],
    dryRun: false,
    ...policy,
  };
  return { name, body: toBinary(AuthorizationSchema, encodeAuthorization(complete)) };
}

/** A policy with a condition that nobody knows. */
function unreadable(policy: Partial<Authorization> = {}) {
  const { name, body } = policyResource({ ...policy, groups: [[[{ ...EMPTY_MATCH }]]] });
  const message = fromBinary(AuthorizationSchema, body);
  message.groups[0]!.rules[0]!.matches[0]!.principals.push(create(StringMatchSchema, {}));
  return { name, body: toBinary(AuthorizationSchema, message) };
}

const CALLER: PeerConnection = {
  sourceIdentity: { trustDomain: 'cluster.local', namespace: 'shop', serviceAccount: 'client' },
  sourceIp: '10.0.0.1',
  destinationIp: '10.0.0.2',
  destinationPort: 80,
};
const LISTING: Workload = {
  ...aWorkload({ name: 'server', addresses: ['10.0.0.2'] }),
  authorizationPolicies: ['shop/only-admins'],
};
const OTHER = aWorkload({ name: 'other', addresses: ['10.0.0.3'] });

function isAllowed(store: WorkloadStore, workload = LISTING): boolean {
  const policies = store.policiesFor(workload).map(({ policy }) => policy);
  return authorize(policies, CALLER).allowed;
}

describe('a policy that is not known denies', () => {
  test('when a workload lists it and it is not among the first that arrive', async () => {
    const store = await storeOf([LISTING, OTHER], []);
    await store.applyPolicies({ resources: [], removed: [] });
    expect([isAllowed(store), isAllowed(store, OTHER)]).toEqual([false, true]);
  });

  test('when it does not decode, to whoever lists it', async () => {
    const store = await storeOf([LISTING, OTHER], []);
    const rejected = await store.applyPolicies({ resources: [unreadable()], removed: [] });
    expect(rejected.map(({ name }) => name)).toEqual(['shop/only-admins']);
    expect([isAllowed(store), isAllowed(store, OTHER)]).toEqual([false, true]);
    await store.applyPolicies({ resources: [], removed: ['shop/only-admins'] });
    expect(isAllowed(store, OTHER)).toBe(true);
  });

  test.for(['namespace', 'global'] as const)(
    'when it does not decode, in its %s',
    async (scope) => {
      const store = await storeOf([OTHER], []);
      await store.applyPolicies({ resources: [unreadable({ scope })], removed: [] });
      expect(isAllowed(store, OTHER)).toBe(false);
      const elsewhere = { ...OTHER, namespace: 'elsewhere' };
      expect(isAllowed(store, elsewhere)).toBe(scope === 'namespace');
    },
  );

  test('but not one that is only tried out, nor one that has a version that decodes', async () => {
    const store = await storeOf([LISTING, OTHER], []);
    const dry = unreadable({ scope: 'namespace', dryRun: true });
    await store.applyPolicies({ resources: [{ ...dry, name: 'shop/dry' }], removed: [] });
    await store.applyPolicies({ resources: [policyResource({ groups: [[]] })], removed: [] });
    await store.applyPolicies({ resources: [unreadable()], removed: [] });
    expect([isAllowed(store), isAllowed(store, OTHER)]).toEqual([true, true]);
  });

  test('only after it had time to arrive, and to leave the lists that name it', async () => {
    const store = await storeOf([OTHER], []);
    await store.applyPolicies({ resources: [], removed: [] });
    await store.applyAddresses({ resources: [workloadResource(LISTING)], removed: [] });
    expect(isAllowed(store)).toBe(true);
    expect(store.settlePolicies()).toEqual([]);
    expect(isAllowed(store)).toBe(true);
    let announced = 0;
    using _watch = store.onChange(() => {
      announced += 1;
    });
    expect(store.settlePolicies()).toEqual(['shop/only-admins']);
    expect([isAllowed(store), announced]).toEqual([false, 1]);
    await store.applyPolicies({ resources: [policyResource({ groups: [[]] })], removed: [] });
    expect(isAllowed(store)).toBe(true);
    await store.applyPolicies({ resources: [], removed: ['shop/only-admins'] });
    expect(isAllowed(store)).toBe(true);
    const released = { ...LISTING, authorizationPolicies: [] };
    await store.applyAddresses({ resources: [workloadResource(released)], removed: [] });
    expect([store.settlePolicies(), store.settlePolicies()]).toEqual([[], []]);
  });

  test('however often the workloads that list it are sent again, go, and come anew', async () => {
    const store = await storeOf([LISTING], []);
    await store.applyPolicies({ resources: [], removed: [] });
    await store.applyAddresses({ resources: [workloadResource(LISTING)], removed: [] });
    expect(isAllowed(store)).toBe(false);
    const replica: Workload = {
      ...aWorkload({ name: 'replica', addresses: ['10.0.0.4'] }),
      authorizationPolicies: LISTING.authorizationPolicies,
    };
    await store.applyAddresses({ resources: [workloadResource(replica)], removed: [] });
    expect([isAllowed(store), isAllowed(store, replica)]).toEqual([false, false]);
    await store.applyAddresses({ resources: [], removed: [LISTING.uid] });
    await store.applyAddresses({ resources: [workloadResource(LISTING)], removed: [] });
    expect([isAllowed(store), isAllowed(store, replica)]).toEqual([false, false]);
    store.settlePolicies();
    store.settlePolicies();
    await store.applyAddresses({ resources: [], removed: [LISTING.uid] });
    await store.applyAddresses({ resources: [workloadResource(LISTING)], removed: [] });
    expect([isAllowed(store), isAllowed(store, replica)]).toEqual([false, false]);
  });
});
