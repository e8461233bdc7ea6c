import { expect, test } from 'vitest';
import { aWorkload } from '../../../../test/fixtures/mesh-objects.ts';
import { LocalIdentities } from './local-identities.ts';

const first = aWorkload({ name: 'web-1', serviceAccount: 'web' });
const second = aWorkload({ name: 'web-2', serviceAccount: 'web' });
const WEB = 'spiffe://cluster.local/ns/shop/sa/web';

test('certificates of this node are wanted from the first workload of an identity to the last (C163)', () => {
  const identities = new LocalIdentities('node-1');
  identities.follow(null, { ...first, node: 'node-2' });
  identities.follow(null, { ...first, protocol: 'tcp' });
  expect([...identities.all()]).toEqual([]);
  identities.follow(null, first);
  identities.follow(null, second);
  identities.follow(first, first);
  expect([...identities.all()]).toEqual([WEB]);
  identities.follow(first, { ...first, node: 'node-2' });
  expect([...identities.all()]).toEqual([WEB]);
  identities.follow(second, null);
  expect([...identities.all()]).toEqual([]);
});

test('a workload that speaks HBONE itself has an identity here, in the trust domain it was given', () => {
  const identities = new LocalIdentities('node-1');
  const native = { ...first, protocol: 'tcp' as const, nativeTunnel: true };
  identities.follow(null, { ...native, trustDomain: 'other.example' });
  expect([...identities.all()]).toEqual(['spiffe://other.example/ns/shop/sa/web']);
});
