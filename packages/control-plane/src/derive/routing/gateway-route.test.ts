import type { GRPCRoute } from '@aquifer/model/resources';
import { expect, test } from 'vitest';
import { gatewayRules } from './gateway-route.ts';

const METADATA = { namespace: 'shop', name: 'g' };

function grpcRoute(...rules: readonly object[]): GRPCRoute {
  return { kind: 'GRPCRoute', metadata: METADATA, spec: { rules } } as unknown as GRPCRoute;
}

test.for([
  { method: undefined, path: null },
  { method: { service: '', method: '' }, path: null },
  {
    method: { service: 'shop.Cart', method: 'Add' },
    path: { type: 'Exact', value: '/shop.Cart/Add' },
  },
  { method: { service: 'shop.Cart' }, path: { type: 'PathPrefix', value: '/shop.Cart' } },
  { method: { method: 'Add' }, path: { type: 'RegularExpression', value: '/[^/]+/Add' } },
  {
    method: { type: 'RegularExpression', service: 'shop[.].*' },
    path: { type: 'RegularExpression', value: '/shop[.].*/.+' },
  },
  {
    method: { type: 'RegularExpression', method: 'Get.*' },
    path: { type: 'RegularExpression', value: '/[^/]+/Get.*' },
  },
])('a gRPC match of $method asks for the path $path', ({ method, path }) => {
  const [rule] = gatewayRules(grpcRoute({ matches: [{ method }] }));
  expect(rule?.matches[0]?.path).toEqual(path);
});

test('rules without a name are told by their route and place, and take everything without a match', () => {
  const rules = gatewayRules(grpcRoute({ name: 'own' }, { matches: [] }));
  expect(rules.map(({ name }) => name)).toEqual(['own', 'shop.g.1']);
  expect(rules[1]?.matches).toEqual([{ path: null, method: null, headers: [], queryParams: [] }]);
});

test('a GRPCRoute without rules asks for nothing', () => {
  const route = { kind: 'GRPCRoute', metadata: METADATA } as unknown as GRPCRoute;
  expect(gatewayRules(route)).toEqual([]);
});
