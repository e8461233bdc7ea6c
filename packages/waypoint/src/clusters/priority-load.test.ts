import fc from 'fast-check';
import { expect, test } from 'vitest';
import { priorityLoads } from './priority-load.ts';

const NO_PANIC = { panicPercent: 0, overprovisioningPercent: 140 };
const ENVOY = { panicPercent: 50, overprovisioningPercent: 140 };

/** As in Envoy's documentation (load_balancing/priority, panic_threshold), rounded as Envoy does. */
test.for([
  { healthy: [100, 100], percents: [100, 0] },
  { healthy: [72, 72], percents: [100, 0] },
  { healthy: [71, 71], percents: [99, 1] },
  { healthy: [60, 100], percents: [84, 16] },
  { healthy: [50, 50], percents: [70, 30] },
  { healthy: [25, 100], percents: [35, 65] },
  { healthy: [25, 25], percents: [50, 50] },
  { healthy: [0, 100], percents: [0, 100] },
  { healthy: [25, 25, 100], percents: [35, 35, 30] },
  { healthy: [20, 20, 20], percents: [34, 33, 33] },
  { healthy: [0, 0], percents: [0, 0] },
])('priorities of which $healthy percent are healthy get $percents', ({ healthy, percents }) => {
  const priorities = healthy.map((percent) => ({ hosts: 100, healthy: percent }));
  const loads = priorityLoads(priorities, NO_PANIC);
  expect(loads.map(({ percent }) => percent)).toEqual(percents);
  expect(loads.every(({ uses }) => uses === 'healthy')).toBe(true);
});

test.for([
  { healthy: [72, 72], uses: ['healthy', 'healthy'], percents: [100, 0] },
  { healthy: [71, 1], uses: ['healthy', 'healthy'], percents: [99, 1] },
  { healthy: [71, 0], uses: ['healthy', 'all'], percents: [100, 0] },
  { healthy: [25, 25], uses: ['all', 'all'], percents: [50, 50] },
  { healthy: [0, 0], uses: ['all', 'all'], percents: [50, 50] },
  { healthy: [5, 65], uses: ['all', 'healthy'], percents: [8, 92] },
])(
  'below 50 % all hosts of a priority are used: $healthy gives $uses',
  ({ healthy, uses, percents }) => {
    const priorities = healthy.map((percent) => ({ hosts: 100, healthy: percent }));
    const loads = priorityLoads(priorities, ENVOY);
    expect(loads.map((load) => load.uses)).toEqual(uses);
    expect(loads.map(({ percent }) => percent)).toEqual(percents);
  },
);

test('all load goes somewhere, and never to a priority without a host for it', () => {
  const priority = fc
    .record({ hosts: fc.nat(20), share: fc.nat(100) })
    .map(({ hosts, share }) => ({ hosts, healthy: Math.floor((hosts * share) / 100) }));
  fc.assert(
    fc.property(fc.array(priority, { minLength: 1, maxLength: 5 }), fc.nat(100), (all, panic) => {
      const loads = priorityLoads(all, { panicPercent: panic, overprovisioningPercent: 140 });
      const usable = loads.map(({ uses }, i) => (uses === 'all' ? all[i]!.hosts : all[i]!.healthy));
      const sum = loads.reduce((total, { percent }) => total + percent, 0);
      expect(sum).toBe(usable.some((hosts) => hosts > 0) ? 100 : 0);
      for (const [i, { percent }] of loads.entries()) {
        if (percent > 0) expect(usable[i]).toBeGreaterThan(0);
      }
    }),
    { seed: 9 },
  );
});
