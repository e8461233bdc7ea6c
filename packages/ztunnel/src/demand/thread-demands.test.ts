import type { WorkloadView } from '@aquifer/control-plane-client/snapshot';
import { expect, test } from 'vitest';
import { aDemandingThread } from '../../../../test/fixtures/demanding-thread.ts';
import { aService, aWorkload } from '../../../../test/fixtures/mesh-objects.ts';

const nameAt = (ip: string) => (view: WorkloadView) =>
  view.workloadByAddress('', ip)?.name ?? 'nobody';

const web = aWorkload({ name: 'web', addresses: ['10.0.0.2'] });

test('a decision is made again with what the control plane has answered (C142)', async () => {
  const { demands, answer, asked } = aDemandingThread();
  const decided = demands.decide(nameAt('10.0.0.2'));
  expect(asked()).toEqual(['/10.0.0.2']);
  await answer([web]);
  expect(await decided).toBe('web');
});

test('any number of connections wait for one name, which is asked for once', async () => {
  const { demands, answer, asked } = aDemandingThread();
  const decided = Array.from({ length: 100 }, () => demands.decide(nameAt('10.0.0.2')));
  await answer([web]);
  expect(new Set(await Promise.all(decided))).toEqual(new Set(['web']));
  expect(asked()).toEqual(['/10.0.0.2']);
});

test('that there is nothing is remembered, and what comes later is seen', async () => {
  const { demands, answer, asked } = aDemandingThread();
  const decided = demands.decide(nameAt('10.0.0.2'));
  await answer([], ['/10.0.0.2']);
  expect(await decided).toBe('nobody');
  expect(await demands.decide(nameAt('10.0.0.2'))).toBe('nobody');
  expect(asked()).toEqual(['/10.0.0.2']);
  await answer([web]);
  expect(await demands.decide(nameAt('10.0.0.2'))).toBe('web');
  expect(asked()).toEqual(['/10.0.0.2']);
});

test('what an answer leads to is asked for in its turn', async () => {
  const { demands, answer, asked } = aDemandingThread();
  const destination = { kind: 'hostname' as const, namespace: 'shop', hostname: 'wp.shop' };
  const behind = { ...web, waypoint: { destination, hboneMtlsPort: 15_008 } };
  const decided = demands.decide((view) => {
    const found = view.workloadByAddress('', '10.0.0.2');
    return found?.waypoint === undefined ? null : view.service('shop/wp.shop');
  });
  await answer([behind]);
  await expect.poll(asked).toEqual(['/10.0.0.2', 'shop/wp.shop']);
  await answer([aService({ name: 'wp', hostname: 'wp.shop' })]);
  expect((await decided)?.name).toBe('wp');
});

test('without an answer a connection is decided with what is known, and holds up no other', async () => {
  const { demands, answer } = aDemandingThread({ decisionMs: 500 });
  const startedMs = performance.now();
  const silent = demands.decide(nameAt('10.0.0.3'));
  const decided = demands.decide(nameAt('10.0.0.2'));
  await answer([web]);
  expect(await decided).toBe('web');
  expect(performance.now() - startedMs).toBeLessThan(500);
  expect(await silent).toBe('nobody');
  expect(performance.now() - startedMs).toBeGreaterThan(490);
});

test('whoever waits when others have given up hears the answer', async () => {
  const { demands, answer } = aDemandingThread({ decisionMs: 50 });
  expect(await demands.decide(nameAt('10.0.0.2'))).toBe('nobody');
  const later = demands.decide(nameAt('10.0.0.2'));
  await answer([web]);
  expect(await later).toBe('web');
});

test('a name that was dropped is asked for again', async () => {
  const { demands, answer, asked } = aDemandingThread();
  void demands.decide(nameAt('10.0.0.2'));
  await answer([], ['/10.0.0.2']);
  demands.hear({ answered: [], dropped: ['/10.0.0.2'] });
  void demands.decide(nameAt('10.0.0.2'));
  expect(asked()).toEqual(['/10.0.0.2', '/10.0.0.2']);
});

test('names in use are told now and then, each once', async () => {
  const { demands, answer, used } = aDemandingThread({ useReportMs: 30 });
  const decided = demands.decide(nameAt('10.0.0.2'));
  await answer([web]);
  await decided;
  for (let i = 0; i < 10; i++) await demands.decide(nameAt('10.0.0.2'));
  await expect.poll(used).toEqual(['/10.0.0.2']);
});
