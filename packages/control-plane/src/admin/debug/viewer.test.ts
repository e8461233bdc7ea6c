import { expect, test } from 'vitest';
import { isLoopback, maySee, OPERATOR, viewerOf } from './viewer.ts';

test.for([
  ['127.0.0.1', true],
  ['127.8.8.8', true],
  ['::1', true],
  ['::ffff:127.0.0.1', true],
  ['::ffff:10.0.0.1', false],
  ['10.127.0.1', false],
  ['2001:db8::1', false],
  [undefined, false],
] as const)('%s is on this machine: %s', ([address, expected]) => {
  expect(isLoopback(address)).toBe(expected);
});

test('an account of the system namespace is an operator, another one sees its namespace', () => {
  const account = (namespace: string) => {
    const identity = { trustDomain: 'cluster.local', namespace, serviceAccount: 'a' };
    return viewerOf({ ...identity, identity, pod: null }, 'istio-system');
  };
  expect(account('istio-system')).toBe(OPERATOR);
  expect(maySee(account('shop'), { namespace: 'shop' })).toBe(true);
  expect(maySee(account('shop'), { namespace: 'bank' })).toBe(false);
});
