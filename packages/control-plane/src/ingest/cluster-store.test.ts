import { createLogger } from '@aquifer/runtime';
import { expect, test } from 'vitest';
import { SETTINGS } from '../derive/derivation.fixture.ts';
import { Derivation } from '../derive/derivation.ts';
import type { StoredObject } from './cluster-inputs.ts';
import { ClusterStore } from './cluster-store.ts';
import type { WatchedKind } from './kinds.ts';

function start() {
  const logs: string[] = [];
  const derivation = new Derivation(SETTINGS, (collection, key, error) => {
    throw new Error(`${collection} ${key}`, { cause: error });
  });
  const store = new ClusterStore({
    inputs: derivation.cluster,
    malformed: derivation.malformed,
    revision: 'default',
    log: createLogger('test', { format: 'plain', write: (line) => logs.push(line) }),
    onChange: () => derivation.settle(),
  });
  return { derivation, store, logs };
}

let version = 0;

function object(kind: WatchedKind, name: string, spec: unknown): StoredObject {
  version += 1;
  const metadata = { namespace: 'shop', name, uid: name, resourceVersion: String(version) };
  return { apiVersion: 'v1', kind, metadata, spec } as StoredObject;
}

const ROUTE = {
  parentRefs: [{ group: '', kind: 'Service', name: 'web' }],
  rules: [{ backendRefs: [{ name: 'web', port: 80 }] }],
};

test('an object without metadata, or none at all, hides none of its list', () => {
  const { store, derivation, logs } = start();
  const list = [null, {}, { metadata: null }, { metadata: { name: 7 } }] as unknown[];
  store.replace('Service', [...list, object('Service', 'web', {})] as StoredObject[]);
  store.change('Service', {} as StoredObject, false);
  expect(derivation.cluster.of('Service').size).toBe(1);
  expect(logs.filter((line) => line.includes('without a name'))).toHaveLength(5);
});

test('of an object that becomes malformed the last good version counts, until it is good again', () => {
  const { store, derivation, logs } = start();
  const { cluster, malformed } = derivation;
  const good = object('HTTPRoute', 'route', ROUTE);
  store.change('HTTPRoute', good, false);
  const bad = object('HTTPRoute', 'route', { ...ROUTE, rules: { first: 'x' } });
  store.change('HTTPRoute', bad, false);
  store.replace('HTTPRoute', [bad]);
  expect(cluster.get('HTTPRoute', 'shop', 'route')?.spec?.rules).toEqual(ROUTE.rules);
  expect(malformed.get('HTTPRoute/shop/route')?.problem).toBe(
    'spec.rules: expected a list, found an object',
  );
  expect(logs).toHaveLength(1);
  store.change('HTTPRoute', object('HTTPRoute', 'route', { ...ROUTE, rules: [] }), false);
  expect(cluster.get('HTTPRoute', 'shop', 'route')?.spec?.rules).toEqual([]);
  expect(malformed.size).toBe(0);
});

test('a malformed object hides nothing else from whoever starts with it', () => {
  const { store, derivation } = start();
  store.replace('HTTPRoute', [
    object('HTTPRoute', 'bad', { ...ROUTE, parentRefs: 'web' }),
    object('HTTPRoute', 'good', ROUTE),
  ]);
  expect(Array.from(derivation.cluster.of('HTTPRoute').entries(), ([key]) => key)).toEqual([
    'shop/good',
  ]);
  store.replace('HTTPRoute', []);
  expect(derivation.malformed.size).toBe(0);
});

test.for([
  {
    what: 'its rules cannot be read',
    spec: { selector: { matchLabels: { app: 'web' } }, action: 'DENY', rules: 'all' },
    counts: { selector: { matchLabels: { app: 'web' } } },
  },
  {
    what: 'its targets cannot be read',
    spec: { targetRefs: [{ kind: 'Service', name: 7 }], rules: [] },
    counts: {},
  },
  {
    what: 'its rules for a Service cannot be read',
    spec: { targetRefs: [{ group: '', kind: 'Service', name: 'web' }], rules: 7 },
    counts: { targetRefs: [{ group: '', kind: 'Service', name: 'web' }] },
  },
])('of a policy that was never good everything is denied: $what', ({ spec, counts }) => {
  const { store, derivation } = start();
  store.change('AuthorizationPolicy', object('AuthorizationPolicy', 'policy', spec), false);
  expect(derivation.cluster.get('AuthorizationPolicy', 'shop', 'policy')?.spec).toEqual(counts);
  const peer = { ...counts, mtls: 'DISABLE' };
  store.change('PeerAuthentication', object('PeerAuthentication', 'peer', peer), false);
  const { spec: strict } = derivation.cluster.get('PeerAuthentication', 'shop', 'peer')!;
  expect(strict?.mtls).toEqual({ mode: 'STRICT' });
});
