import type { ConfigMap } from '@aquifer/model/resources';
import { expect, test } from 'vitest';
import type { Manifest } from '../reconcile/wish.ts';
import { overlaid, readOverlay } from './overlay.ts';

const LABELS = { 'gateway.istio.io/managed': 'istio.io-mesh-controller' };

const DEPLOYMENT = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'waypoint', namespace: 'shop', labels: LABELS },
  spec: {
    selector: { matchLabels: { app: 'waypoint' } },
    template: {
      spec: {
        containers: [
          {
            name: 'istio-proxy',
            image: 'proxy:1',
            env: [{ name: 'A', value: '1' }],
            resources: { limits: { cpu: '2', memory: '1Gi' } },
          },
        ],
      },
    },
  },
} as Manifest;

const AUTOSCALER = {
  apiVersion: 'autoscaling/v2',
  kind: 'HorizontalPodAutoscaler',
  metadata: { name: 'waypoint', namespace: 'shop', labels: LABELS },
  spec: {
    scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'w' },
    maxReplicas: 1,
  },
} as Manifest;

function configMap(data: Readonly<Record<string, string>>): ConfigMap {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { namespace: 'shop', name: 'sizes' },
    data,
  } as unknown as ConfigMap;
}

/** The manifest under the overlay, or what is wrong with it. */
function laidOver(manifest: Manifest, data: Readonly<Record<string, string>>): unknown {
  const overlay = readOverlay(configMap(data));
  if (!overlay.ok) return overlay.error;
  const result = overlaid(manifest, overlay.value);
  return result.ok ? result.value : result.error;
}

const container = (fields: string) =>
  `spec: { template: { spec: { containers: [{ name: istio-proxy, ${fields} }] } } }`;

test.for([
  {
    does: 'an environment variable is added beside the others (P135)',
    deployment: container('env: [{ name: B, value: "2" }]'),
    container: {
      env: [
        { name: 'A', value: '1' },
        { name: 'B', value: '2' },
      ],
    },
  },
  {
    does: 'a limit is set, and the other one stays (P135)',
    deployment: container('resources: { limits: { cpu: "4" } }'),
    container: { resources: { limits: { cpu: '4', memory: '1Gi' } } },
  },
  {
    does: 'null takes limits away (P135)',
    deployment: container('resources: { limits: null }'),
    container: { resources: {} },
  },
])('$does', ({ deployment, container: expected }) => {
  const image = 'proxy:1';
  const env = [{ name: 'A', value: '1' }];
  const resources = { limits: { cpu: '2', memory: '1Gi' } };
  expect(laidOver(DEPLOYMENT, { deployment })).toMatchObject({
    spec: {
      selector: { matchLabels: { app: 'waypoint' } },
      template: {
        spec: { containers: [{ name: 'istio-proxy', image, env, resources, ...expected }] },
      },
    },
  });
});

test('a variable that comes from the pod can be given a value instead (P135)', () => {
  const valueFrom = { resourceFieldRef: { resource: 'limits.cpu' } };
  const deployment = container('env: [{ name: CONCURRENCY, value: "1", valueFrom: null }]');
  const containers = [{ name: 'istio-proxy', env: [{ name: 'CONCURRENCY', valueFrom }] }];
  const manifest = { ...DEPLOYMENT, spec: { selector: {}, template: { spec: { containers } } } };
  expect(laidOver(manifest as Manifest, { deployment })).toMatchObject({
    spec: {
      template: { spec: { containers: [{ env: [{ name: 'CONCURRENCY', value: '1' }] }] } },
    },
  });
});

test('pods are spread as the overlay says, one constraint for each topology (P135)', () => {
  const constraint = '{ topologyKey: zone, maxSkew: 1, whenUnsatisfiable: DoNotSchedule }';
  const deployment = `
spec:
  replicas: 3
  template:
    spec:
      topologySpreadConstraints: [${constraint}]`;
  expect(laidOver(DEPLOYMENT, { deployment })).toMatchObject({
    spec: {
      replicas: 3,
      template: {
        spec: {
          topologySpreadConstraints: [
            { topologyKey: 'zone', maxSkew: 1, whenUnsatisfiable: 'DoNotSchedule' },
          ],
        },
      },
    },
  });
});

test('an autoscaler keeps what it scales, and gets what the overlay says (P135)', () => {
  const metrics = '[{ type: Resource, resource: { name: cpu } }]';
  const horizontalPodAutoscaler = `spec: { minReplicas: 2, maxReplicas: 5, metrics: ${metrics} }`;
  expect(laidOver(AUTOSCALER, { horizontalPodAutoscaler })).toMatchObject({
    spec: {
      scaleTargetRef: { kind: 'Deployment', name: 'w' },
      minReplicas: 2,
      maxReplicas: 5,
      metrics: [{ type: 'Resource' }],
    },
  });
});

const AT = 'ConfigMap "shop/sizes", key "deployment": ';

test.for([
  { what: 'another name', deployment: 'metadata: { name: mine }', says: 'metadata.name' },
  { what: 'another namespace', deployment: 'metadata: { namespace: x }', says: 'namespace' },
  { what: 'another kind', deployment: 'kind: DaemonSet', says: 'kind must not be changed' },
  { what: 'another version', deployment: 'apiVersion: apps/v2', says: 'apiVersion must not' },
  {
    what: 'no mark of the mesh',
    deployment: 'metadata: { labels: { gateway.istio.io/managed: null } }',
    says: 'metadata.labels["gateway.istio.io/managed"] must not be changed',
  },
  { what: 'no metadata', deployment: 'metadata: 1', says: 'metadata: expected an object' },
  {
    what: 'a field that there is not',
    deployment: 'spec: { replica: 3 }',
    says: 'spec.replica: unknown field',
  },
  {
    what: 'a value of another type',
    deployment: 'spec: { replicas: many }',
    says: 'spec.replicas: expected a whole number',
  },
  {
    what: 'a container without a name',
    deployment: 'spec: { template: { spec: { containers: [{ image: x }] } } }',
    says: 'does not contain declared merge key: name',
  },
  { what: 'text that is no YAML', deployment: 'spec: [', says: '' },
  { what: 'a list', deployment: '- spec', says: 'expected an object' },
])(
  'an overlay with $what is refused, and the place is named (P135, P138a)',
  ({ deployment, says }) => {
    const answer = laidOver(DEPLOYMENT, { deployment });
    expect(answer).toEqual(expect.stringContaining(AT));
    expect(answer).toEqual(expect.stringContaining(says));
  },
);

test('a key that is none of the five is refused, and the five are named (P135)', () => {
  const answer = laidOver(DEPLOYMENT, { configMap: 'data: {}' });
  expect(answer).toBe(
    'ConfigMap "shop/sizes" has key "configMap", which is none of deployment, service, serviceAccount, horizontalPodAutoscaler, podDisruptionBudget',
  );
});

test('a few lines whose aliases unfold without end are refused', () => {
  const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]'];
  for (let n = 1; n < 12; n++) {
    lines.push(`a${n}: &a${n} [${`*a${n - 1}, `.repeat(10)}]`);
  }
  expect(laidOver(DEPLOYMENT, { deployment: lines.join('\n') })).toBe(
    `${AT}has more than 10000 values`,
  );
});

test('nothing but comments changes nothing', () => {
  expect(laidOver(DEPLOYMENT, { deployment: '# later\n' })).toEqual(DEPLOYMENT);
});

test('an overlay with a list of 300,000 entries is refused with a word', () => {
  const list = `spec: { finalizers: [${'1,'.repeat(300_000)}1] }`;
  expect(laidOver(DEPLOYMENT, { deployment: list })).toBe(
    'ConfigMap "shop/sizes", key "deployment": has more than 10000 values',
  );
});
