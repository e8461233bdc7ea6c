import { expect, test } from 'vitest';
import {
  aliases,
  kubernetesNames,
  searchDomains,
  serviceKeys,
  wildcards,
  withoutSuffix,
} from './names.ts';

const CLIENT = { namespace: 'ns1', clusterDomain: 'cluster.local' };

test.for([
  { name: 'name', full: ['name.ns1.svc.cluster.local'] },
  { name: 'name.ns2', full: ['name.ns2.svc.cluster.local', 'name.ns2.ns1.svc.cluster.local'] },
  {
    name: 'name.ns2.svc',
    full: ['name.ns2.svc.cluster.local', 'name.ns2.svc.svc.cluster.local'],
  },
  { name: 'www.google.com', full: ['www.google.com.svc.cluster.local'] },
  { name: 'a.b.c.svc', full: ['a.b.c.svc.cluster.local'] },
  { name: 'a.b.c.d', full: [] },
  { name: 'name.ns2.svc.cluster.local', full: [] },
])('$name may mean $full (C200)', ({ name, full }) => {
  expect(kubernetesNames(name, CLIENT)).toEqual(full);
});

test('wildcards cover a name from the narrowest to the widest (C201)', () => {
  expect([...wildcards('svc1.ns1.svc.cluster.local')]).toEqual([
    'svc1.ns1.svc.cluster.local',
    '*.ns1.svc.cluster.local',
    '*.svc.cluster.local',
    '*.cluster.local',
    '*.local',
  ]);
});

test('search domains are those of a pod of the namespace (C221)', () => {
  expect(searchDomains({ namespace: 'default-ns', clusterDomain: 'cluster.local' })).toEqual([
    'default-ns.svc.cluster.local',
    'svc.cluster.local',
    'cluster.local',
  ]);
});

test.for([
  { name: 'a.b', suffix: 'b', rest: 'a' },
  { name: 'b', suffix: 'b', rest: null },
  { name: 'ab', suffix: 'b', rest: null },
  { name: 'a.b.c', suffix: 'c', rest: 'a.b' },
])('$name without .$suffix is $rest (C223)', ({ name, suffix, rest }) => {
  expect(withoutSuffix(name, suffix)).toBe(rest);
});

test('what a search domain may have been appended to is remembered as such', () => {
  const stripped = aliases('www.google.com.ns1.svc.cluster.local', CLIENT).find(
    ({ name }) => name === 'www.google.com',
  );
  expect(stripped).toEqual({ name: 'www.google.com', stripped: 'www.google.com' });
});

test.for([
  { name: 'web.ns2.svc.cluster.local', keys: ['ns2/web.ns2.svc.cluster.local'] },
  { name: 'web', keys: ['ns1/web', 'ns1/web.ns1.svc.cluster.local'] },
  { name: 'www.example.com', keys: ['ns1/www.example.com'] },
  { name: 'www.example.com.ns1.svc.cluster.local', keys: ['ns1/www.example.com'] },
])('for $name the services $keys are asked for on demand', ({ name, keys }) => {
  expect(serviceKeys(name, CLIENT)).toEqual(keys);
});
