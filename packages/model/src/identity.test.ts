import { expect, test } from 'vitest';
import { formatIdentity, parseIdentity } from './identity.ts';

test.for([
  ['spiffe://td/ns/namespace/sa/service-account', ['td', 'namespace', 'service-account']],
  ['spiffe://td/ns//sa/', ['td', '', '']],
] as const)('%s is an identity (C162)', ([uri, [trustDomain, namespace, serviceAccount]]) => {
  const identity = { trustDomain, namespace, serviceAccount };
  expect(parseIdentity(uri)).toEqual(identity);
  expect(formatIdentity(identity)).toBe(uri);
});

test.for([
  'td/ns/namespace/sa/service-account',
  'https://td/ns/namespace/sa/service-account',
  'spiffe://td/ns/namespace/service-account',
  'spiffe://td/namespace/namespace/sa/service-account',
  'spiffe://td/ns/namespace/serviceaccount/service-account',
  'spiffe://td/ns/namespace/sa/service-account/more',
  'spiffe://td/ns/namespace/sa',
  '',
])('%j is no identity (C162)', (text) => {
  expect(parseIdentity(text)).toBeNull();
});
