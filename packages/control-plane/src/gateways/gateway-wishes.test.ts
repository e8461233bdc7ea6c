/** What is written for Gateways of class `istio`. */
import { expect, test } from 'vitest';
import { clusterWishes } from '../cluster-wishes.ts';
import { SETTINGS, TestCluster, type TestObject } from '../derive/derivation.fixture.ts';
import { gateway, object } from '../derive/gateway-api/gateway-api.fixture.ts';
import { GATEWAY_CONTROLLER } from '../derive/labels.ts';
import type { Wish } from '../reconcile/wish.ts';

const CLASS = object('GatewayClass', '/istio', { controllerName: GATEWAY_CONTROLLER });
const HTTP = { name: 'web', port: 80, protocol: 'HTTP' };
const REFERENCE = { group: '', kind: 'ConfigMap', name: 'sizes' };

function wishesOf(
  map: object | null,
  ...objects: readonly TestObject[]
): ReadonlyMap<string, Wish> {
  const cluster = new TestCluster();
  const { derivation } = cluster;
  const { wishes, wantedMaps } = clusterWishes(derivation, {
    ...SETTINGS,
    revision: 'default',
    image: 'aquifer/waypoint:dev',
    gatewayImage: 'istio/proxyv2:dev',
    imagePullSecrets: [],
    caAddress: '',
  });
  cluster.put(...objects);
  for (const [key, { namespace, name }] of wantedMaps.entries()) {
    const metadata = { namespace, name };
    const found = { apiVersion: 'v1', kind: 'ConfigMap' as const, metadata, ...map };
    derivation.referredMaps.set(
      key,
      map === null ? { kind: 'missing' } : { kind: 'found', map: found },
    );
  }
  derivation.settle();
  return new Map(wishes.entries());
}

function written(wishes: ReadonlyMap<string, Wish>): string[] {
  return Array.from(wishes.values(), ({ write }) =>
    write.verb === 'applyOwned' ? `${write.manifest.kind} ${write.manifest.metadata.name}` : '',
  ).filter((text) => text !== '');
}

test('a Gateway becomes an account, a Deployment and a Service, named after its class (P133)', () => {
  expect(written(wishesOf(null, CLASS, gateway([HTTP])))).toEqual([
    'ServiceAccount front-istio',
    'Deployment front-istio',
    'Service front-istio',
  ]);
});

test('parameters of a Gateway lie over what it becomes (P135)', () => {
  const data = {
    deployment: 'spec: { replicas: 3 }',
    podDisruptionBudget: 'spec: { minAvailable: 1 }',
  };
  const front = gateway([HTTP], { infrastructure: { parametersRef: REFERENCE } });
  const wishes = wishesOf({ data }, CLASS, front);
  expect(written(wishes)).toContain('PodDisruptionBudget front-istio');
  expect(wishes.get('/apis/apps/v1/namespaces/edge/deployments/front-istio')).toMatchObject({
    write: { manifest: { spec: { replicas: 3 } } },
  });
});

test('a Gateway whose parameters are missing is not accepted, and nothing is deployed (P135)', () => {
  const front = gateway([HTTP], { infrastructure: { parametersRef: REFERENCE } });
  const wishes = wishesOf(null, CLASS, front);
  expect(written(wishes)).toEqual([]);
  expect(JSON.stringify([...wishes.values()])).toContain('ConfigMap \\"edge/sizes\\" not found');
});
