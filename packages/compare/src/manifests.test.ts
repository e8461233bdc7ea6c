import { expect, test } from 'vitest';
import { type Manifest, modeManifests } from './manifests.ts';
import { MODES, type Mode } from './modes.ts';

function manifests(mode: Mode): Manifest[] {
  return modeManifests({ mode, pods: 4, trustDomain: 'cluster.local' });
}

function podSpec(mode: Mode, name: string) {
  const deployment = manifests(mode).find(
    ({ kind, metadata }) => kind === 'Deployment' && metadata.name === name,
  );
  return deployment?.spec as {
    replicas: number;
    template: { spec: { containers: { name: string; image: string }[] } };
  };
}

test('every mode runs the same application: one client, the other pods serve', () => {
  for (const mode of MODES) {
    expect(podSpec(mode, 'client').replicas + podSpec(mode, 'server').replicas).toBe(4);
    expect(podSpec(mode, 'client').template.spec.containers[0]).toEqual(
      podSpec('none', 'client').template.spec.containers[0],
    );
    expect(podSpec(mode, 'server').template.spec.containers[0]).toEqual(
      podSpec('none', 'server').template.spec.containers[0],
    );
  }
});

test('only sidecars add a proxy to the pods', () => {
  const withProxy = MODES.filter(
    (mode) => podSpec(mode, 'server').template.spec.containers.length > 1,
  );
  expect(withProxy).toEqual(['sidecar']);
});

test.for([
  { mode: 'none' as const, expected: [] },
  { mode: 'sidecar' as const, expected: [] },
  { mode: 'ambient' as const, expected: ['AuthorizationPolicy'] },
  { mode: 'waypoint' as const, expected: ['Gateway', 'AuthorizationPolicy'] },
])('$mode asks of the mesh: $expected', ({ mode, expected }) => {
  const ofMesh = ['Gateway', 'AuthorizationPolicy'];
  const kinds = manifests(mode).map(({ kind }) => kind);
  expect(kinds.filter((kind) => ofMesh.includes(kind))).toEqual(expected);
  expect(kinds[0]).toBe('Namespace');
});

test('sidecars and policies allow the client of their own namespace only', () => {
  const identity = 'cluster.local/ns/aquifer-compare-MODE/sa/client';
  for (const mode of ['sidecar', 'ambient', 'waypoint'] as const) {
    expect(JSON.stringify(manifests(mode))).toContain(identity.replace('MODE', mode));
  }
});
