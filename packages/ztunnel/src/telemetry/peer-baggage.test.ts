import { expect, test } from 'vitest';
import { PeerBaggage } from './peer-baggage.ts';

const PROVEN = { trustDomain: 'cluster.local', namespace: 'proven', serviceAccount: 'a' };

test('a peer is described as it says, but for what it has proven (C065)', () => {
  const header =
    'k8s.cluster.name=c1,k8s.namespace.name=claimed,k8s.deployment.name=web,service.name=shop,service.version=v1,cloud.region=r1,cloud.availability_zone=z1';
  expect(new PeerBaggage().describe(header, PROVEN)).toEqual({
    ...{ name: 'web', namespace: 'proven', clusterId: 'c1', workloadName: 'web' },
    ...{ canonicalName: 'shop', canonicalRevision: 'v1' },
    locality: { region: 'r1', zone: 'z1', subzone: '' },
  });
});

test.for([[null], [''], ['nonsense'], [`service.name=${'a'.repeat(3000)}`]])(
  'a peer that says %s is not described',
  ([header]) => {
    expect(new PeerBaggage().describe(header!, PROVEN)).toBe(null);
  },
);

test('peers that say ever new things are soon not believed, and those before still are', () => {
  const baggage = new PeerBaggage();
  const first = baggage.describe('service.name=first', PROVEN);
  for (let i = 0; i < 5000; i += 1) baggage.describe(`service.name=s${i}`, PROVEN);
  expect(baggage.describe('service.name=last', PROVEN)).toBe(null);
  expect(baggage.describe('service.name=first', PROVEN)).toBe(first);
});
