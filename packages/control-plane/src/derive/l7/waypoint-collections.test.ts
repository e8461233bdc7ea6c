import fc from 'fast-check';
import { expect, test } from 'vitest';
import { runs } from '../../../../../test/fuzz/runs.ts';
import { applyChanges } from '../../ingest/cluster-state.ts';
import { difference } from '../../push/difference.ts';
import { firstOfEachName, newDeriver, toggle } from '../derivation.fixture.ts';
import type { ResourceMap } from '../resource.ts';
import { readyState, recordedObjects } from './recorded-waypoint.fixture.ts';
import type { WaypointConfigs } from './waypoint-configs.ts';

const RECORDINGS = [
  '05-gamma-filters',
  '04-gamma-match-precedence',
  '06-gamma-grpcroute-timeouts',
  '07-gamma-status',
  '23-authz-waypoint',
];
const WAYPOINT = 'shop/waypoint';

const OBJECTS = firstOfEachName(RECORDINGS.flatMap(recordedObjects));

function versions(configs: WaypointConfigs): unknown {
  const flat = (map: ResourceMap) => [...map.values()].map(({ name, version }) => [name, version]);
  return [...configs].map(([key, { clusters, endpoints, listeners }]) => [
    key,
    [clusters, endpoints, listeners].map((map) => Object.fromEntries(flat(map))),
  ]);
}

test('after any series of changes a waypoint is served the same as if it were derived anew', () => {
  const step = fc.array(fc.constantFrom(...OBJECTS), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 8 }), (steps) => {
      const deriver = newDeriver();
      let state = readyState(OBJECTS);
      deriver.derive(state);
      for (const objects of steps) {
        state = toggle(state, objects);
        const fresh = newDeriver().derive(state).waypointConfigs;
        expect(versions(deriver.derive(state).waypointConfigs)).toEqual(versions(fresh));
      }
    }),
    runs(25),
  );
});

test('a pod that changes re-emits the endpoints of its own Services, and nothing else', () => {
  const deriver = newDeriver();
  const state = readyState(OBJECTS);
  const before = deriver.derive(state).waypointConfigs.get(WAYPOINT)!;
  const pod = state.Pod.get('shop', 'stock-1')!;
  const object = { ...pod, status: { ...pod.status, podIP: '10.1.0.99', podIPs: [] } };
  const change = { namespace: 'shop', name: 'stock-1', object };
  const after = deriver
    .derive(applyChanges(state, { Pod: [change] }))
    .waypointConfigs.get(WAYPOINT)!;
  const { changed, removed } = difference(before.endpoints, after.endpoints);
  expect(changed.map(({ name }) => name)).toEqual([
    'inbound-vip|80|http|stock.shop.svc.cluster.local',
  ]);
  expect(changed[0]?.sources).toEqual([
    { kind: 'Service', namespace: 'shop', name: 'stock' },
    { kind: 'Pod', namespace: 'shop', name: 'stock-1' },
  ]);
  expect(removed).toEqual([]);
  expect(after.clusters).toBe(before.clusters);
  expect(after.listeners).toBe(before.listeners);
});

test('a listener names the routes and policies that shaped it', () => {
  const { listeners } = newDeriver().derive(readyState(OBJECTS)).waypointConfigs.get(WAYPOINT)!;
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
