import type { Service, ServiceAddress } from '@aquifer/model';
import { describe, expect, test } from 'vitest';
import { aService } from '../../../../test/fixtures/mesh-objects.ts';
import { addressResources } from '../../../../test/fixtures/test-data-plane.ts';
import { pickService } from './service-choice.ts';
import { WorkloadStore } from './workload-store.ts';

/** `10.0.0.0/24` as a range, `10.0.0.1` as a single address. */
function address(text: string, network = ''): ServiceAddress {
  const [ip = '', length] = text.split('/');
  return { network, address: ip, prefixLength: length === undefined ? null : Number(length) };
}

function service(namespace: string, addresses: readonly string[], more: Partial<Service> = {}) {
  const hostname = `x.${namespace}.test`;
  const all = addresses.map((text) => address(text));
  return aService({ name: 'x', namespace, hostname, addresses: all, ...more });
}

async function storeOf(services: readonly Service[]): Promise<WorkloadStore> {
  const store = new WorkloadStore();
  await store.applyAddresses({ resources: addressResources([], services), removed: [] });
  return store;
}

function remove(store: WorkloadStore, { namespace, hostname }: Service) {
  return store.applyAddresses({ resources: [], removed: [`${namespace}/${hostname}`] });
}

/** The namespace of the service that a caller of a namespace means by an address; null for none. */
function meant(store: WorkloadStore, ip: string, caller = 'third', network = ''): string | null {
  return store.snapshot.serviceByVip(network, ip, caller)?.namespace ?? null;
}

test('an address of two namespaces is that of the caller’s, and stays when the other goes (C110)', async () => {
  const [one, other] = [service('ns1', ['10.0.0.1']), service('ns2', ['10.0.0.1'])];
  const store = await storeOf([one, other]);
  expect([meant(store, '10.0.0.1', 'ns1'), meant(store, '10.0.0.1', 'ns2')]).toEqual([
    'ns1',
    'ns2',
  ]);
  await remove(store, one);
  expect([meant(store, '10.0.0.1', 'ns1'), meant(store, '10.0.0.1', 'ns2')]).toEqual([
    'ns2',
    'ns2',
  ]);
  await remove(store, other);
  expect(meant(store, '10.0.0.1', 'ns2')).toBeNull();
});

test.for([
  ['an address', '10.0.0.1', '10.0.0.1'],
  ['a range', '10.0.0.0/24', '10.0.0.9'],
])(
  'a service that its namespace keeps to itself is found there alone by %s (C111)',
  async ([, given, ip]) => {
    const hidden = service('ns1', [given!], { visibility: 'namespace' });
    const store = await storeOf([hidden]);
    expect([meant(store, ip!, 'ns1'), meant(store, ip!, 'ns2')]).toEqual(['ns1', null]);
  },
);

test('a service that its namespace keeps to itself is found there alone by its hostname (C111)', async () => {
  const hidden = service('ns1', [], { visibility: 'namespace' });
  const { snapshot } = await storeOf([hidden]);
  const named = snapshot.servicesByHostname(hidden.hostname);
  expect(pickService(named, 'ns1')?.namespace).toBe('ns1');
  expect(pickService(named, 'ns2')).toBeNull();
});

describe('a range', () => {
  test.for([
    ['10.0.0.0/24', '10.0.0.0', true],
    ['10.0.0.0/24', '10.0.0.255', true],
    ['10.0.0.0/24', '10.0.1.0', false],
    ['10.0.0.0/24', '9.255.255.255', false],
    ['2001:db8::/112', '2001:db8::', true],
    ['2001:db8::/112', '2001:db8::ffff', true],
    ['2001:db8::/112', '2001:db8::1:0', false],
    ['0.0.0.0/0', '2001:db8::1', false],
    ['::/0', '10.0.0.1', false],
  ] as const)('%s holds %s: %s (C113)', async ([range, ip, expected]) => {
    expect(meant(await storeOf([service('ns1', [range])]), ip)).toBe(expected ? 'ns1' : null);
  });

  test('belongs to its network (C113)', async () => {
    const remote = service('ns1', [], { addresses: [address('10.0.0.0/24', 'remote')] });
    const store = await storeOf([remote]);
    expect(meant(store, '10.0.0.1', 'third', 'remote')).toBe('ns1');
    expect(meant(store, '10.0.0.1')).toBeNull();
  });

  test('of each family may be one service’s, and a single address of the other beside it (C113)', async () => {
    const dual = await storeOf([service('ns1', ['10.0.0.0/24', '2001:db8::/112'])]);
    expect([meant(dual, '10.0.0.7'), meant(dual, '2001:db8::7')]).toEqual(['ns1', 'ns1']);
    const mixed = await storeOf([service('ns1', ['10.0.0.1', '2001:db8::/112'])]);
    expect(['10.0.0.1', '10.0.0.2', '2001:db8::7'].map((ip) => meant(mixed, ip))).toEqual([
      'ns1',
      null,
      'ns1',
    ]);
  });

  test.for([
    ['10.0.0.0/8', '10.1.0.0/16', '10.1.2.0/24', '10.1.2.3'],
    ['2001:db8::/32', '2001:db8:1::/48', '2001:db8:1:2::/64', '2001:db8:1:2::3'],
  ] as const)('that is narrower wins: %s, %s, %s (C114)', async ([wide, middle, narrow, ip]) => {
    const services = [service('m', [middle]), service('n', [narrow]), service('w', [wide])];
    const store = await storeOf(services);
    expect(meant(store, ip)).toBe('n');
    await remove(store, services[1]!);
    expect(meant(store, ip)).toBe('m');
    await remove(store, services[0]!);
    expect(meant(store, ip)).toBe('w');
  });

  test.for([
    ['10.0.0.0/24', '10.0.0.1'],
    ['2001:db8::/112', '2001:db8::1'],
  ] as const)('%s loses to a single address (C115)', async ([range, ip]) => {
    const store = await storeOf([service('ns1', [range]), service('ns2', [ip])]);
    expect(meant(store, ip, 'ns1')).toBe('ns2');
  });

  test('of the caller’s namespace wins over a narrower one elsewhere (C116)', async () => {
    const store = await storeOf([service('ns1', ['10.1.0.0/16']), service('ns2', ['10.1.2.0/24'])]);
    expect([meant(store, '10.1.2.3', 'ns1'), meant(store, '10.1.2.3')]).toEqual(['ns1', 'ns2']);
  });

  test('of two namespaces is that of the caller’s, until one goes, or both (C117)', async () => {
    const [one, other] = [service('ns1', ['10.0.0.0/24']), service('ns2', ['10.0.0.0/24'])];
    const store = await storeOf([one, other]);
    expect([meant(store, '10.0.0.9', 'ns1'), meant(store, '10.0.0.9', 'ns2')]).toEqual([
      'ns1',
      'ns2',
    ]);
    await remove(store, one);
    expect(meant(store, '10.0.0.9', 'ns1')).toBe('ns2');
    await remove(store, other);
    expect([meant(store, '10.0.0.9', 'ns1'), meant(store, '10.0.0.9', 'ns2')]).toEqual([
      null,
      null,
    ]);
  });
});
