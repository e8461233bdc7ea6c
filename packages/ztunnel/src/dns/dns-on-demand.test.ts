import { createLogger } from '@aquifer/runtime';
import { expect, test } from 'vitest';
import { aDemandingThread } from '../../../../test/fixtures/demanding-thread.ts';
import { aService, aWorkload } from '../../../../test/fixtures/mesh-objects.ts';
import { DnsProxy } from './dns-proxy.ts';
import { DnsTotals } from './dns-totals.ts';
import { DnsForwarder } from './forwarder.ts';
import { lookUpAddress } from './lookup.ts';

const client = aWorkload({ name: 'client', addresses: ['10.0.0.1'] });
const KEY = 'shop/server.shop.svc.cluster.local';

/** A pod's proxy that knows no nameserver. */
function aProxy() {
  const thread = aDemandingThread({ descriptionMs: 100 });
  const nowhere = () => {
    throw new Error('nobody is there');
  };
  const proxy = new DnsProxy({
    mesh: thread.mesh,
    demands: thread.demands,
    forwarder: new DnsForwarder({ udp: nowhere, tcp: nowhere }, () => []),
    totals: new DnsTotals(),
    log: createLogger('dns', { format: 'plain', levels: 'off' }),
    scope: { network: '', clusterDomain: 'cluster.local', preferredNamespace: null },
    client: () => Promise.resolve(client),
  });
  const lookUp = (name: string) =>
    lookUpAddress((query) => proxy.answer(query, 'udp'), name, 4).catch(() => null);
  return { ...thread, lookUp };
}

test('a name of the mesh is asked for before nameservers are', async () => {
  const { lookUp, asked, answer } = aProxy();
  const found = lookUp('server.shop.svc.cluster.local');
  await expect.poll(asked).toEqual([KEY]);
  await answer([aService({ name: 'server', vip: '10.96.0.1' })]);
  expect(await found).toBe('10.96.0.1');
  expect(await lookUp('server.shop.svc.cluster.local')).toBe('10.96.0.1');
  expect(asked()).toEqual([KEY]);
});

test('a query does not wait long for a control plane that is silent', async () => {
  const { lookUp } = aProxy();
  const startedMs = performance.now();
  expect(await lookUp('server.shop.svc.cluster.local')).toBeNull();
  expect(performance.now() - startedMs).toBeLessThan(2_000);
});
