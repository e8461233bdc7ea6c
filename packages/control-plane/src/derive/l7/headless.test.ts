import { expect, test } from 'vitest';
import type { TestObject } from '../derivation.fixture.ts';
import { deriveWaypoint, recordedObjects } from './recorded-waypoint.fixture.ts';

const BASE = recordedObjects('05-gamma-filters').filter(({ kind }) => kind !== 'HTTPRoute');
const PEERS: TestObject = {
  kind: 'Service',
  metadata: { namespace: 'shop', name: 'peers' },
  spec: { clusterIP: 'None', selector: { app: 'stock' }, ports: [{ name: 'http', port: 80 }] },
};
const ROUTE: TestObject = {
  kind: 'HTTPRoute',
  metadata: { namespace: 'shop', name: 'r' },
  spec: {
    parentRefs: [{ group: '', kind: 'Service', name: 'cart', port: 80 }],
    rules: [{ backendRefs: [{ name: 'peers', port: 80 }] }],
  },
};

test('a headless Service that a route names gets its share of requests by its endpoints', () => {
  const { clusters, endpoints, listeners } = deriveWaypoint([...BASE, PEERS, ROUTE]);
  const outbound = 'outbound|80||peers.shop.svc.cluster.local';
  const main = Buffer.from(listeners.get('main_internal')!.bytes).toString('latin1');
  expect(main).toContain(outbound);
  expect(clusters.has(outbound)).toBe(true);
  expect(endpoints.has(outbound)).toBe(true);
  // Its own cluster has none: it leads where a connection was going.
  const own = 'inbound-vip|80|http|peers.shop.svc.cluster.local';
  expect(clusters.has(own)).toBe(true);
  expect(endpoints.has(own)).toBe(false);
});
