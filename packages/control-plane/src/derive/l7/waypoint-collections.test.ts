import { expect, test } from 'vitest';
import { firstOfEachName } from '../derivation.fixture.ts';
import { readyCluster, recordedObjects, waypointConfigs } from './recorded-waypoint.fixture.ts';

const RECORDINGS = [
  '05-gamma-filters',
  '04-gamma-match-precedence',
  '06-gamma-grpcroute-timeouts',
  '07-gamma-status',
  '23-authz-waypoint',
];
const WAYPOINT = 'shop/waypoint';

const OBJECTS = firstOfEachName(RECORDINGS.flatMap(recordedObjects));

test('a pod that changes re-emits the endpoints of its own Services, and nothing else', () => {
  const cluster = readyCluster(OBJECTS);
  const { clusters, endpoints, listeners } = cluster.derivation.waypoints;
  const pod = OBJECTS.find(({ kind, metadata }) => kind === 'Pod' && metadata.name === 'stock-1')!;
  cluster.put({ ...pod, status: { ...(pod.status as object), podIP: '10.1.0.99', podIPs: [] } });
  const key = 'inbound-vip|80|http|stock.shop.svc.cluster.local';
  expect([...endpoints.changes.keys()]).toEqual([`${WAYPOINT} ${key}`]);
  expect(endpoints.get(`${WAYPOINT} ${key}`)?.resource.sources).toEqual([
    { kind: 'Service', namespace: 'shop', name: 'stock' },
    { kind: 'Pod', namespace: 'shop', name: 'stock-1' },
  ]);
  expect([clusters.changes.size, listeners.changes.size]).toEqual([0, 0]);
});

test('a listener names the routes and policies that shaped it', () => {
  const { listeners } = waypointConfigs(readyCluster(OBJECTS)).get(WAYPOINT)!;
  const kinds = listeners.get('main_internal')!.sources.map(({ kind, name }) => `${kind}/${name}`);
  expect(kinds).toEqual(
    expect.arrayContaining([
      'Gateway/waypoint',
      'Service/cart',
      'HTTPRoute/b',
      'GRPCRoute/g',
      'AuthorizationPolicy/deny',
    ]),
  );
  expect(kinds).not.toContain('AuthorizationPolicy/selected');
});
