import { describe, expect, test } from 'vitest';
import { MODES, type Mode } from '../modes.ts';
import type { Manifest } from './manifest.ts';
import { fewestPods, modeManifests, targetUrl } from './manifests.ts';
import { ECHO_WORKLOAD, podTemplate, type Workload, workloadOf } from './workload.ts';

const TRUST_DOMAIN = 'cluster.local';

function manifests(mode: Mode, workload: Workload = ECHO_WORKLOAD, pods = 4): Manifest[] {
  return modeManifests({ mode, workload, pods, trustDomain: TRUST_DOMAIN });
}

function replicas(objects: readonly Manifest[]): Record<string, number> {
  const withPods = objects.filter((object) => podTemplate(object) !== null);
  return Object.fromEntries(
    withPods.map(({ metadata, spec }) => [metadata.name, (spec as { replicas: number }).replicas]),
  );
}

function containers(objects: readonly Manifest[]): string[][] {
  return objects.flatMap((object) => {
    const names = podTemplate(object)?.spec.containers as { name: string }[] | undefined;
    return names === undefined ? [] : [names.map(({ name }) => name)];
  });
}

describe('the echo workload', () => {
  test('is the same in every mode: one client, the other pods serve', () => {
    for (const mode of MODES) {
      expect(replicas(manifests(mode))).toEqual({ 'aquifer-load': 1, server: 3 });
    }
  });

  test('only sidecars add a proxy, to every pod', () => {
    for (const mode of MODES) {
      const proxies = containers(manifests(mode)).map((names) => names.includes('istio-proxy'));
      expect(proxies).toEqual(mode.endsWith('sidecar') ? [true, true] : [false, false]);
    }
  });

  test.for([
    { mode: 'none' as const, expected: [] },
    { mode: 'sidecar' as const, expected: [] },
    { mode: 'own-sidecar' as const, expected: [] },
    { mode: 'ambient' as const, expected: ['AuthorizationPolicy'] },
    { mode: 'waypoint' as const, expected: ['Gateway', 'AuthorizationPolicy'] },
  ])('$mode asks of the mesh: $expected', ({ mode, expected }) => {
    const kinds = manifests(mode).map(({ kind }) => kind);
    expect(kinds.filter((kind) => ['Gateway', 'AuthorizationPolicy'].includes(kind))).toEqual(
      expected,
    );
    expect(kinds[0]).toBe('Namespace');
  });

  test('all objects of a mode are in its namespace', () => {
    for (const mode of MODES) {
      const [, ...others] = manifests(mode);
      for (const { metadata } of others) expect(metadata.namespace).toBe(`aquifer-compare-${mode}`);
    }
  });
});

describe('a workload of one’s own', () => {
  const template = (app: string, probes: object = {}) => ({
    metadata: { labels: { app } },
    spec: {
      containers: [
        { name: app, image: app, ports: [{ name: 'web', containerPort: 8000 }], ...probes },
      ],
    },
  });
  const object = (kind: string, name: string, spec?: object): Manifest => ({
    apiVersion: 'v1',
    kind,
    metadata: { name, namespace: 'shop' },
    ...(spec !== undefined && { spec }),
  });
  const objects = [
    object('Namespace', 'shop'),
    object('Service', 'database', {
      selector: { app: 'database' },
      ports: [{ name: 'tcp', port: 5432 }],
    }),
    object('StatefulSet', 'database', { replicas: 2, template: template('database') }),
    object('Service', 'shop', {
      selector: { app: 'shop' },
      ports: [{ name: 'http-web', port: 8080, targetPort: 'web' }],
    }),
    object('Deployment', 'shop', {
      replicas: 1,
      template: template('shop', { readinessProbe: { httpGet: { port: 8000 } } }),
    }),
  ];
  const workload = workloadOf('shop.yaml', objects);

  test('gets its load at the first HTTP port, by the number of the pods’ port', () => {
    expect(workload.target).toEqual({ service: 'shop', port: 8080, targetPort: 8000 });
    expect(targetUrl('ambient', workload)).toBe('http://shop.aquifer-compare-ambient:8080/');
  });

  test('grows by the Deployment that is asked; the others stay as they are', () => {
    expect(fewestPods(workload)).toBe(4);
    const all = replicas(manifests('sidecar', workload, 10));
    expect(all).toEqual({ 'aquifer-load': 1, database: 2, shop: 7 });
  });

  test('has sidecars at every pod, which carry its HTTP ports, and no probes in any mode', () => {
    const sidecar = manifests('sidecar', workload);
    expect(containers(sidecar)).toEqual([
      ['load', 'istio-proxy'],
      ['database', 'istio-proxy'],
      ['shop', 'istio-proxy'],
    ]);
    const redirection = JSON.stringify(sidecar);
    expect(redirection).toContain('tcp dport { 8080 } redirect');
    expect(redirection).not.toContain('5432 }');
    expect(sidecar.map(({ metadata }) => metadata.name)).toContain('shop-pods');
    expect(JSON.stringify(manifests('none', workload))).not.toContain('readinessProbe');
  });

  test('without an HTTP port is refused, and says which there are', () => {
    expect(() => workloadOf('shop.yaml', objects, 'database')).toThrow(
      'no Service database with an HTTP port and a Deployment behind it',
    );
    expect(() => workloadOf('shop.yaml', objects, 'database')).toThrow('found: shop:8080');
  });
});
