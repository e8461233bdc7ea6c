import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Host } from '../host.ts';
import { idleHosts, seededRandom } from '../hosts.fixture.ts';
import type { BalanceDeps, Balancer, Share } from './balancer.ts';
import { EarliestDeadline } from './earliest-deadline.ts';
import { leastRequest } from './least-request.ts';
import { Maglev } from './maglev.ts';
import { RingHash } from './ring-hash.ts';
import { roundRobin } from './round-robin.ts';
import { xxHash64 } from './xx-hash64.ts';

const DEPS: BalanceDeps = { random: seededRandom(9), nowMs: () => 0 };
const LEAST = { kind: 'least-request', choices: 2, activeRequestBias: 1, slowStart: null } as const;

function counts(balancer: Balancer<Host>, hosts: readonly Host[], times: number): number[] {
  const chosen = Array.from({ length: times }, (_, i) => balancer.choose(xxHash64(`k${i}`), 0));
  return hosts.map((host) => chosen.filter((one) => one === host).length);
}

function shares(hosts: readonly Host[]): Share<Host>[] {
  const sum = hosts.reduce((all, { weight }) => all + weight, 0);
  return hosts.map((host) => ({ host, part: host.weight / sum }));
}

describe('round robin', () => {
  test('gives turns', () => {
    const hosts = idleHosts(3);
    expect(counts(roundRobin(hosts, null, DEPS), hosts, 6)).toEqual([2, 2, 2]);
  });

  test('gives turns by weight, spread evenly', () => {
    const hosts = idleHosts(3, [1, 2, 5]);
    const balancer = roundRobin(hosts, null, DEPS);
    for (let i = 0; i < 10; i++) expect(counts(balancer, hosts, 8)).toEqual([1, 2, 5]);
  });
});

describe('turns by deadline', () => {
  test('are as many as the weights say, whatever they are', () => {
    const weight = fc.integer({ min: 1, max: 50 });
    fc.assert(
      fc.property(
        fc.array(weight, { minLength: 1, maxLength: 20 }),
        fc.nat(30),
        (weights, skip) => {
          const turns = new EarliestDeadline(weights.length, (at) => weights[at]!, skip);
          const got = weights.map(() => 0);
          const sum = weights.reduce((all, one) => all + one, 0);
          for (let i = 0; i < sum; i++) got[turns.pick()]! += 1;
          for (const [i, count] of got.entries())
            expect(Math.abs(count - weights[i]!)).toBeLessThanOrEqual(1);
        },
      ),
      { seed: 9 },
    );
  });
});

describe('least request', () => {
  test('prefers the host with fewer requests under way', () => {
    const hosts = idleHosts(2);
    hosts[0]!.active = 100;
    expect(counts(leastRequest(hosts, LEAST, DEPS), hosts, 400)[1]).toBeGreaterThan(250);
  });

  test.for([
    { bias: 1, expected: [300, 200] },
    { bias: 0, expected: [375, 125] },
  ])('weighs weight against requests under way with bias $bias', ({ bias, expected }) => {
    const hosts = idleHosts(2, [3, 1]);
    hosts[0]!.active = 1;
    const balancer = leastRequest(hosts, { ...LEAST, activeRequestBias: bias }, DEPS);
    const got = counts(balancer, hosts, 500);
    for (const [i, count] of got.entries())
      expect(Math.abs(count - expected[i]!)).toBeLessThanOrEqual(2);
  });
});

describe('slow start', () => {
  test.for([
    { ageS: 0, aggression: 1, percent: 10 },
    { ageS: 1, aggression: 1, percent: 10 },
    { ageS: 5, aggression: 1, percent: 50 },
    { ageS: 5, aggression: 2, percent: 70.7 },
    { ageS: 10, aggression: 1, percent: 100 },
  ])(
    'gives a host of $ageS s of 10 s $percent % with aggression $aggression (L200)',
    ({ ageS, aggression, percent }) => {
      const hosts = idleHosts(2);
      hosts[0]!.setServing(-60_000);
      hosts[1]!.setServing(-ageS * 1000);
      const slowStart = { windowMs: 10_000, aggression, minWeightPercent: 10 };
      const [old, young] = counts(roundRobin(hosts, slowStart, DEPS), hosts, 4_400);
      expect((100 * young!) / old!).toBeGreaterThan(percent - 1);
      expect((100 * young!) / old!).toBeLessThan(percent + 1);
    },
  );
});

const HASHING = [
  {
    name: 'ring hash',
    of: (hosts: readonly Host[]) =>
      new RingHash(
        shares(hosts),
        { kind: 'ring-hash', minRingSize: 4096, maxRingSize: 65_536 },
        DEPS.random,
      ),
  },
  {
    name: 'maglev',
    of: (hosts: readonly Host[]) => new Maglev(shares(hosts), 65_537, DEPS.random),
  },
];

describe.for(HASHING)('$name', ({ of }) => {
  test('takes the same host for the same key', () => {
    const hosts = idleHosts(10);
    const [one, other] = [of(hosts), of(hosts.toReversed())];
    for (let i = 0; i < 200; i++) {
      const key = xxHash64(`key-${i}`);
      expect(one.choose(key, 0)).toBe(other.choose(key, 0));
    }
  });

  test('gives hosts about their weight of the keys', () => {
    const hosts = idleHosts(4, [1, 1, 2, 4]);
    const got = counts(of(hosts), hosts, 8_000);
    for (const [i, count] of got.entries()) {
      const wanted = hosts[i]!.weight * 1000;
      expect(Math.abs(count - wanted) / wanted).toBeLessThan(0.25);
    }
  });

  test('moves few keys when a host leaves', () => {
    const hosts = idleHosts(10);
    const [before, after] = [of(hosts), of(hosts.slice(1))];
    let moved = 0;
    for (let i = 0; i < 2_000; i++) {
      const key = xxHash64(`key-${i}`);
      const host = before.choose(key, 0);
      if (host !== hosts[0] && after.choose(key, 0) !== host) moved += 1;
    }
    expect(moved).toBeLessThan(200);
  });

  test('spreads requests that have no key', () => {
    const hosts = idleHosts(5);
    const balancer = of(hosts);
    const chosen = Array.from({ length: 1_000 }, () => balancer.choose(null, 0));
    for (const host of hosts)
      expect(chosen.filter((one) => one === host).length).toBeGreaterThan(100);
  });
});
