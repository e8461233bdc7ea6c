import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { applyChanges, clusterStateOf } from '../ingest/cluster-state.ts';
import { difference } from '../push/difference.ts';
import { firstOfEachName, newDeriver, type TestObject, toggle } from './derivation.fixture.ts';
import type { Snapshot } from './snapshot.ts';

const GOLDEN = new URL('../../../../test/fixtures/golden/wds/', import.meta.url);

const OBJECTS = firstOfEachName(
  readdirSync(GOLDEN)
    .filter((name) => /^(1[1-5]|2[2-8])-/.test(name))
    .flatMap(
      (name) =>
        JSON.parse(readFileSync(new URL(`${name}/objects.json`, GOLDEN), 'utf8')) as TestObject[],
    ),
);

/** All that is served, as versions. */
function versions(snapshot: Snapshot): unknown {
  const { addresses, authorizations, enrolledPods } = snapshot;
  const flat = (map: typeof addresses | typeof authorizations) =>
    Object.fromEntries([...map.values()].map(({ name, version }) => [name, version]));
  const pods = [...enrolledPods.values()].flatMap((map) => [...map.keys()]);
  return { ...flat(addresses), ...flat(authorizations), pods: pods.toSorted() };
}

test('after any series of changes the snapshot is the same as if it were derived anew', () => {
  const step = fc.array(fc.constantFrom(...OBJECTS), { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 8 }), (steps) => {
      const deriver = newDeriver();
      let state = clusterStateOf(OBJECTS);
      deriver.derive(state);
      for (const objects of steps) {
        state = toggle(state, objects);
        expect(versions(deriver.derive(state))).toEqual(versions(newDeriver().derive(state)));
      }
    }),
    { numRuns: 25 },
  );
});

test('a change of one pod changes one resource, and leaves the other maps the same objects', () => {
  const deriver = newDeriver();
  const state = clusterStateOf(OBJECTS);
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
