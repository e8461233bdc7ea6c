import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { aWorkload } from '../../../../test/fixtures/mesh-objects.ts';
import { OwnPod } from './own-pod.ts';
import { PolicyTable } from './policy-table.ts';

const POD = { namespace: 'shop', name: 'web', serviceAccount: 'web' };
const WORKLOAD = aWorkload({ name: 'web', addresses: ['10.0.0.2'] });

test('a connection that comes before its own workload goes on as soon as that arrives (C048)', async () => {
  const own = new OwnPod(POD);
  const startedMs = performance.now();
  const waiting = own.wait();
  await delay(50);
  own.update(WORKLOAD, new PolicyTable().combine([]));
  expect(await waiting).toBe(WORKLOAD);
  expect(performance.now() - startedMs).toBeLessThan(4000);
});

test('a workload that is gone for a moment keeps new connections waiting, and its policies in force', async () => {
  const own = new OwnPod(POD);
  const policies = new PolicyTable().combine([]);
  own.update(WORKLOAD, policies);
  own.update(null, policies);
  expect([own.workload, own.policies]).toEqual([null, policies]);
  const waiting = own.wait();
  own.update(WORKLOAD, policies);
  expect(await waiting).toBe(WORKLOAD);
});
