import { expect, test } from 'vitest';
import { TestCluster, type TestObject } from './derivation.fixture.ts';

function entry(name: string, hosts: readonly string[], rest: object = {}): TestObject {
  return {
    kind: 'ServiceEntry',
    metadata: { namespace: 'shop', name },
    spec: { hosts, resolution: 'DNS', ports: [{ number: 80, name: 'http' }] },
    ...rest,
  };
}

function allocated({ derivation }: TestCluster, name: string): string[] {
  const addresses = derivation.mesh.allocatedAddresses.get(`shop/${name}`) ?? [];
  return addresses.map(({ host, value }) => `${host} ${value}`);
}

/** Writes what is allocated into the statuses, until nothing changes any more. */
function write(cluster: TestCluster): void {
  const { cluster: inputs, mesh } = cluster.derivation;
  for (let round = 0; round < 10; round++) {
    const stale = [...inputs.of('ServiceEntry').entries()].filter(([key, { status }]) => {
      const wanted = mesh.allocatedAddresses.get(key) ?? [];
      return JSON.stringify(status?.addresses ?? []) !== JSON.stringify(wanted);
    });
    for (const [key, object] of stale) {
      const addresses = mesh.allocatedAddresses.get(key);
      cluster.put({ ...object, status: { addresses } } as unknown as TestObject);
    }
    if (stale.length === 0) return;
  }
  throw new Error('addresses never come to rest');
}

test('a host gets one address of each family, the same ones whenever its entry is made', () => {
  const cluster = new TestCluster([entry('a', ['one.test', 'two.test'])]);
  const first = allocated(cluster, 'a');
  expect(first).toEqual([
    expect.stringMatching(/^one\.test 240\.240\.\d+\.\d+$/),
    expect.stringMatching(/^one\.test 2001:2::[0-9a-f]+$/),
    expect.stringMatching(/^two\.test 240\.240\.\d+\.\d+$/),
    expect.stringMatching(/^two\.test 2001:2::[0-9a-f]+$/),
  ]);
  expect(new Set(first.map((text) => text.split(' ')[1])).size).toBe(4);
  const other = new TestCluster([entry('b', ['three.test']), entry('a', ['one.test', 'two.test'])]);
  expect(allocated(other, 'a')).toEqual(first);
});

test('an address that another entry has is passed over, whether it was given or written by hand', () => {
  const [mine = ''] = allocated(new TestCluster([entry('a', ['one.test'])]), 'a');
  const [, address = ''] = mine.split(' ');
  const spec = { hosts: ['x.test'], resolution: 'STATIC', addresses: [address], ports: [] };
  const pinned = new TestCluster([entry('b', [], { spec }), entry('a', ['one.test'])]);
  expect(allocated(pinned, 'a')).toHaveLength(2);
  expect(allocated(pinned, 'a')).not.toContain(mine);
  const status = { addresses: [{ host: 'x.test', value: address }] };
  const given = new TestCluster([entry('b', ['x.test'], { status }), entry('a', ['one.test'])]);
  expect(allocated(given, 'a')).not.toContain(mine);
  expect(allocated(given, 'b')).toEqual([`x.test ${address}`]);
});

test('of two entries with one address the older keeps it, and the other gets one of its own', () => {
  const status = { addresses: [{ host: 'one.test', value: '240.240.7.7' }] };
  const at = (name: string, creationTimestamp: string): TestObject => ({
    ...entry(name, ['one.test'], { status }),
    metadata: { namespace: 'shop', name, creationTimestamp } as TestObject['metadata'],
  });
  const cluster = new TestCluster([
    at('a', '2026-02-02T00:00:00Z'),
    at('b', '2026-01-01T00:00:00Z'),
  ]);
  expect(allocated(cluster, 'b')).toEqual(['one.test 240.240.7.7']);
  expect(allocated(cluster, 'a')).toHaveLength(2);
  expect(allocated(cluster, 'a')).not.toContain('one.test 240.240.7.7');
});

test('many hosts that are new at once end with an address each, and nobody changes one that was written', () => {
  const hosts = Array.from({ length: 900 }, (_, index) => `host-${index}.test`);
  const cluster = new TestCluster(hosts.map((host, index) => entry(`e${index}`, [host])));
  const before = hosts.map((_, index) => allocated(cluster, `e${index}`));
  // So many that some of their names mean the same address: whoever must wait has none yet.
  expect(before.some((addresses) => addresses.length === 0)).toBe(true);
  write(cluster);
  const after = hosts.map((_, index) => allocated(cluster, `e${index}`));
  const addresses = after.flat().map((text) => text.split(' ')[1]);
  expect(new Set(addresses).size).toBe(2 * hosts.length);
  for (const [index, given] of before.entries()) {
    if (given.length > 0) expect(after[index]).toEqual(given);
  }
});
