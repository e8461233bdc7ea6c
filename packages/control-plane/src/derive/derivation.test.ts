import { existsSync, readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { runs } from '../../../../test/fuzz/runs.ts';
import { applyChanges, type ClusterState } from '../ingest/cluster-state.ts';
import { difference } from '../push/difference.ts';
import { firstOfEachName, newDeriver, type TestObject, toggle } from './derivation.fixture.ts';
import { readyState } from './l7/recorded-waypoint.fixture.ts';
import type { ResourceMap } from './resource.ts';
import type { Snapshot } from './snapshot.ts';

const GOLDEN = new URL('../../../../test/fixtures/golden/', import.meta.url);

function recorded(folder: string, names: RegExp): TestObject[] {
  const cases = readdirSync(new URL(folder, GOLDEN)).filter((name) => names.test(name));
  // Of some cases only what was served is here.
  const files = cases.map((name) => new URL(`${folder}${name}/objects.json`, GOLDEN));
  return files
    .filter((file) => existsSync(file))
    .flatMap((file) => JSON.parse(readFileSync(file, 'utf8')) as TestObject[]);
}

const PLAIN = firstOfEachName([
  ...recorded('wds/', /^(1[1-57]|2[2-8])-/),
  ...recorded('l7/', /^\d\d-/),
]);
/** Every waypoint is ready. */
const READY = readyState(PLAIN);
const OBJECTS: readonly TestObject[] = [
  ...PLAIN.filter(({ kind }) => kind !== 'Gateway'),
  ...[...READY.Gateway].map((gateway) => gateway as unknown as TestObject),
];

/** All that is served, as versions. */
function versions(snapshot: Snapshot): unknown {
  const { addresses, authorizations, enrolledPods, waypointConfigs } = snapshot;
  const flat = (map: ResourceMap) =>
    Object.fromEntries([...map.values()].map(({ name, version }) => [name, version]));
  const pods = [...enrolledPods.values()].flatMap((map) => [...map.keys()]);
  const waypoints = [...waypointConfigs].map(([key, { clusters, endpoints, listeners }]) => [
    key,
    [clusters, endpoints, listeners].map(flat),
  ]);
  return {
    ...flat(addresses),
    ...flat(authorizations),
    pods: pods.toSorted(),
    waypoints: Object.fromEntries(waypoints),
  };
}

/** Somebody writes to the object, and changes nothing that means anything. */
function touch(state: ClusterState, { kind, metadata }: TestObject): ClusterState {
  const { namespace = '', name } = metadata;
  const collection = state[kind as 'Gateway'];
  const object = collection?.get(namespace, name);
  if (object === undefined) return state;
  const status = { ...object.status, conditions: [] };
  return applyChanges(state, { [kind]: [{ namespace, name, object: { ...object, status } }] });
}

test('after any series of changes the snapshot is the same as if it were derived anew', () => {
  const change = fc.record({
    object: fc.constantFrom(...OBJECTS),
    how: fc.constantFrom<('toggle' | 'touch')[]>('toggle', 'touch'),
  });
  const gateways = OBJECTS.filter(({ kind }) => kind === 'Gateway');
  const write = fc.record({
    object: fc.constantFrom(...gateways),
    how: fc.constant('touch' as const),
  });
  const step = fc.array(fc.oneof(change, write), { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 8 }), (steps) => {
      const deriver = newDeriver();
      let state = READY;
      deriver.derive(state);
      for (const changes of steps) {
        for (const { object, how } of changes) {
          state = how === 'touch' ? touch(state, object) : toggle(state, [object]);
        }
        expect(versions(deriver.derive(state))).toEqual(versions(newDeriver().derive(state)));
      }
    }),
    runs(25),
  );
}, 60_000);

test('a status that is written to a Gateway changes nothing that is served', () => {
  const deriver = newDeriver();
  const before = deriver.derive(READY);
  const bound = [...before.waypointConfigs.values()].filter(({ endpoints }) =>
    endpoints.has('encap'),
  );
  expect(bound.length).toBeGreaterThan(0);
  let state = READY;
  for (const object of OBJECTS) if (object.kind === 'Gateway') state = touch(state, object);
  const after = deriver.derive(state);
  for (const [key, config] of before.waypointConfigs) {
    expect(after.waypointConfigs.get(key)?.listeners).toBe(config.listeners);
    expect(after.waypointConfigs.get(key)?.endpoints).toBe(config.endpoints);
  }
});

test('a change of one pod changes one resource, and leaves the other maps the same objects', () => {
  const deriver = newDeriver();
  const state = READY;
  const before = deriver.derive(state);
  const pod = [...state.Pod][0]!;
  const { namespace = '', name = '' } = pod.metadata;
  const labels = { ...pod.metadata.labels, version: 'v2' };
  const object = { ...pod, metadata: { ...pod.metadata, labels } };
  const after = deriver.derive(applyChanges(state, { Pod: [{ namespace, name, object }] }));
  const { changed, removed } = difference(before.addresses, after.addresses);
  expect(changed.map((resource) => resource.name)).toEqual([
    `Kubernetes//Pod/${namespace}/${name}`,
  ]);
  expect(changed[0]!.sources[0]).toEqual({ kind: 'Pod', namespace, name });
  expect(removed).toEqual([]);
  expect(after.authorizations).toBe(before.authorizations);
});
