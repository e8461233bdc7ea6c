import { expect, test } from 'vitest';
import { parseReference } from './reference.ts';
import { loginsFor, loginsOfSecret } from './registry-login.ts';

const secret = (auths: Record<string, unknown>) => ({
  '.dockerconfigjson': Buffer.from(JSON.stringify({ auths })),
});
const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;

test.for([
  { name: 'example.com', image: 'example.com/shop/cart', isFor: true },
  { name: 'example.com', image: 'other.com/shop/cart', isFor: false },
  { name: 'example.com:5000', image: 'example.com/shop/cart', isFor: false },
  { name: 'https://example.com/v2/', image: 'example.com/shop/cart', isFor: true },
  { name: 'example.com/shop', image: 'example.com/shop/cart', isFor: true },
  { name: 'example.com/shop', image: 'example.com/shopping/cart', isFor: false },
  { name: '*.example.com', image: 'eu.example.com/cart', isFor: true },
  { name: '*.example.com', image: 'example.com/cart', isFor: false },
  { name: 'https://index.docker.io/v1/', image: 'busybox', isFor: true },
])('a login for $name is for $image: $isFor', ({ name, image, isFor }) => {
  const stored = loginsOfSecret(secret({ [name]: { username: 'a', password: 'b' } }));
  expect(loginsFor(parseReference(image), stored)).toEqual(isFor ? [basic('a:b')] : []);
});

test('the login for the longest part of the name comes first', () => {
  const stored = loginsOfSecret(
    secret({ 'example.com': { auth: 'whole' }, 'example.com/shop': { auth: 'part' } }),
  );
  const logins = loginsFor(parseReference('example.com/shop/cart'), stored);
  expect(logins).toEqual(['Basic part', 'Basic whole']);
});

test('the older form of such Secrets is read, and one that is neither gives none', () => {
  const older = { '.dockercfg': Buffer.from('{"example.com":{"auth":"eA=="}}') };
  expect(loginsOfSecret(older)).toEqual([{ pattern: 'example.com', login: 'Basic eA==' }]);
  expect(loginsOfSecret({ '.dockerconfigjson': Buffer.from('{') })).toEqual([]);
  expect(loginsOfSecret({ password: Buffer.from('secret') })).toEqual([]);
});
