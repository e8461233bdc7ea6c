import { expect, test } from 'vitest';
import { foreignRoute } from './foreign-routes.ts';

const NEEDED = ['10.96.0.0/16', '10.245.0.254/24', '10.244.1.0/24'];

test.for([
  ['a wider network', '10.0.0.0/8'],
  ['a narrower one', '10.96.3.0/24'],
  ['an address in it', '10.244.1.9'],
  ['the network of an address that is needed', '10.245.0.0/24'],
] as const)('a route to %s is in the way', ([, dst]) => {
  const vpn = { dst, dev: 'tun0' };
  expect(foreignRoute([{ dst: 'default' }, { dst: '192.168.0.0/16' }, vpn], NEEDED)).toBe(vpn);
});

test('the default route and other networks are not', () => {
  const routes = [{ dst: 'default' }, { dst: '10.97.0.0/16' }, { dst: '172.17.0.0/16' }];
  expect(foreignRoute(routes, NEEDED)).toBeNull();
});
