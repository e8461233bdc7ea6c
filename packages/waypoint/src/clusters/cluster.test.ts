import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { BalancerSettings } from './balance/balancer.ts';
import { xxHash64 } from './balance/xx-hash64.ts';
import { Breakers } from './breakers.ts';
import { ANY_HOST, Cluster, type HostChoice } from './cluster.ts';
import type { Host } from './host.ts';
import type { BalancingSettings, LocalityHosts } from './host-set.ts';
import { idleHosts, seededRandom } from './hosts.fixture.ts';

const ROUND_ROBIN: BalancerSettings = { kind: 'round-robin', slowStart: null };
const BALANCERS: readonly BalancerSettings[] = [
  ROUND_ROBIN,
  { kind: 'least-request', choices: 2, activeRequestBias: 1, slowStart: null },
  { kind: 'random' },
  { kind: 'ring-hash', minRingSize: 1024, maxRingSize: 8_388_608 },
  { kind: 'maglev', tableSize: 65_537 },
];

function clusterOf(
  priorities: readonly (readonly LocalityHosts[])[],
  balancing: Partial<BalancingSettings> = {},
): Cluster {
  const deps = { random: seededRandom(9), nowMs: () => 0 };
  const cluster = new Cluster('c', new Breakers(), deps);
  cluster.setBalancing({
    balancer: ROUND_ROBIN,
    localities: 'merged',
    panicPercent: 0,
    ...balancing,
  });
  cluster.setHosts({ priorities, overprovisioningPercent: 140 });
  return cluster;
}

function flat(hosts: readonly Host[], balancer: BalancerSettings): Cluster {
  return clusterOf([[{ weight: 0, hosts }]], { balancer });
}

function picks(cluster: Cluster, times: number, choice = ANY_HOST): Map<Host | null, number> {
  const counts = new Map<Host | null, number>();
  for (let i = 0; i < times; i++) {
    const host = cluster.pick(choice);
    counts.set(host, (counts.get(host) ?? 0) + 1);
  }
  return counts;
}

function avoiding(...tried: Host[]): HostChoice {
  return { ...ANY_HOST, tried, reselections: 5 };
}

describe.for(BALANCERS)('a cluster balanced by $kind', (balancer) => {
  test('without hosts has none to offer', () => {
    expect(clusterOf([], { balancer }).pick(ANY_HOST)).toBeNull();
    expect(flat([], balancer).pick(ANY_HOST)).toBeNull();
  });

  test('has none to offer when all are ejected (L165), and has them back', () => {
    const hosts = idleHosts(2);
    const cluster = flat(hosts, balancer);
    for (const host of hosts) host.isHealthy = false;
    cluster.refresh();
    expect(cluster.pick(ANY_HOST)).toBeNull();
    for (const host of hosts) host.isHealthy = true;
    cluster.refresh();
    expect(hosts).toContain(cluster.pick(ANY_HOST));
  });

  test('takes a host again that was tried when there is no other', () => {
    const [only] = idleHosts(1) as [Host];
    expect(flat([only], balancer).pick(avoiding(only))).toBe(only);
  });

  test('mostly finds one that was not tried', () => {
    const [one, two] = idleHosts(2) as [Host, Host];
    const cluster = flat([one, two], balancer);
    const hashed = (i: number) => ({ ...avoiding(one), hash: xxHash64(String(i)) });
    let found = 0;
    for (let i = 0; i < 200; i++) found += cluster.pick(hashed(i)) === two ? 1 : 0;
    expect(found).toBeGreaterThan(180);
  });

  test('never picks a host that is not usable', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 1, maxLength: 12 }), fc.nat(), (ups, key) => {
        const hosts = idleHosts(ups.length);
        for (const [i, isUp] of ups.entries()) hosts[i]!.isHealthy = isUp;
        const host = flat(hosts, balancer).pick({ ...ANY_HOST, hash: xxHash64(String(key)) });
        if (ups.includes(true)) expect(host?.isHealthy).toBe(true);
        else expect(host).toBeNull();
      }),
      { seed: 9, numRuns: 40 },
    );
  });

  test('uses all hosts when too few are healthy', () => {
    const hosts = idleHosts(4);
    for (const host of hosts.slice(1)) host.isHealthy = false;
    const cluster = clusterOf([[{ weight: 0, hosts }]], { balancer, panicPercent: 50 });
    expect(picks(cluster, 400).size).toBe(4);
  });
});

describe('priorities', () => {
  test('of which 60 % of the first are healthy: 84 % of the requests stay there (L199)', () => {
    const [first, second] = [idleHosts(10), idleHosts(10)];
    for (const host of first.slice(0, 4)) host.isHealthy = false;
    const cluster = clusterOf([[{ weight: 0, hosts: first }], [{ weight: 0, hosts: second }]]);
    const counts = picks(cluster, 10_000);
    const toFirst = first.reduce((sum, host) => sum + (counts.get(host) ?? 0), 0);
    expect(toFirst / 100).toBeGreaterThan(82);
    expect(toFirst / 100).toBeLessThan(86);
  });

  test('are left by retries that failed there', () => {
    const [one] = idleHosts(1) as [Host];
    const [other] = idleHosts(1) as [Host];
    const cluster = clusterOf([[{ weight: 0, hosts: [one] }], [{ weight: 0, hosts: [other] }]]);
    const choice = (...tried: Host[]) => ({ ...ANY_HOST, tried, triesPerPriority: 2 });
    expect(cluster.pick(choice(one))).toBe(one);
    expect(cluster.pick(choice(one, one))).toBe(other);
    expect(cluster.pick(choice(one, one, other))).toBe(other);
    expect(cluster.pick(choice(one, one, other, other))).toBe(one);
    expect(cluster.pick(choice(one, one, other, other, one))).toBe(one);
    expect(cluster.pick(choice(one, one, other, other, one, one))).toBe(other);
  });
});

describe('weighted localities', () => {
  test.for(BALANCERS)('get their part of the requests by $kind', (balancer) => {
    const [near, far, none] = [idleHosts(3), idleHosts(6).slice(3), idleHosts(9).slice(6)];
    const localities = [
      { weight: 70, hosts: near },
      { weight: 30, hosts: far },
      { weight: 0, hosts: none },
    ];
    const cluster = clusterOf([localities], { balancer, localities: 'weighted' });
    const counts = picks(cluster, 4_000);
    const part = (hosts: readonly Host[]) =>
      hosts.reduce((sum, host) => sum + (counts.get(host) ?? 0), 0) / 40;
    expect(part(near)).toBeGreaterThan(64);
    expect(part(near)).toBeLessThan(76);
    expect(part(none)).toBe(0);
  });

  test('pass on what they have no healthy hosts for', () => {
    const [near, far] = [idleHosts(10), idleHosts(10)];
    for (const host of near.slice(0, 5)) host.isHealthy = false;
    const localities = [
      { weight: 50, hosts: near },
      { weight: 50, hosts: far },
    ];
    const counts = picks(clusterOf([localities], { localities: 'weighted' }), 1_700);
    const toNear = near.reduce((sum, host) => sum + (counts.get(host) ?? 0), 0);
    // 50 * 1.4 * 0.5 of 85.
    expect(toNear).toBeGreaterThan(690);
    expect(toNear).toBeLessThan(710);
  });
});
