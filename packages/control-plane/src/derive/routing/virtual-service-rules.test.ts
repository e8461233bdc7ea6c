import type { VirtualService } from '@aquifer/model/resources';
import { expect, test } from 'vitest';
import { MESH } from '../derivation.fixture.ts';
import type { RuleAudience } from './virtual-service-match.ts';
import { rulesOfVirtualService } from './virtual-service-rules.ts';

const WEB: RuleAudience = {
  port: 80,
  gateways: ['mesh'],
  namespace: 'shop',
  labels: { app: 'web' },
};

function rulesOf(route: object, audience = WEB) {
  const service = {
    kind: 'VirtualService',
    metadata: { namespace: 'shop', name: 'x' },
    spec: { http: [{ route: [{ destination: { host: 'cart' } }], ...route }] },
  } as unknown as VirtualService;
  return rulesOfVirtualService(service, audience, () => undefined, MESH);
}

test.for([
  { match: { sourceLabels: { app: 'web' } }, holds: true },
  { match: { sourceLabels: { app: 'job' } }, holds: false },
  { match: { sourceLabels: { app: 'web' } }, audience: { ...WEB, labels: null }, holds: false },
  { match: { sourceNamespace: 'far' }, holds: false },
  { match: { port: 81 }, holds: false },
  { match: { gateways: ['edge/gw'] }, holds: false },
  { match: { gateways: ['gw'] }, audience: { ...WEB, gateways: ['shop/gw'] }, holds: true },
  {
    match: { gateways: ['gw.edge.svc.cluster.local', './own'] },
    audience: { ...WEB, gateways: ['shop/own'] },
    holds: true,
  },
])('a match of $match is for its callers (L052)', ({ match, audience, holds }) => {
  expect(rulesOf({ match: [match] }, audience)).toHaveLength(holds ? 1 : 0);
});

test.for([
  { retryOn: '503', on: ',retriable-status-codes', codes: [503] },
  { retryOn: 'reset, 429 ,5xx', on: 'reset,5xx,retriable-status-codes', codes: [429] },
  { retryOn: 'retriable-status-codes,502', on: 'retriable-status-codes', codes: [502] },
  { retryOn: 'connect-failure', on: 'connect-failure', codes: [] },
])('retries on $retryOn are by code where it is a number (L047)', ({ retryOn, on, codes }) => {
  const [rule] = rulesOf({ retries: { attempts: 1, retryOn } });
  expect(rule?.action).toMatchObject({ retries: { on, codes } });
});

test('what follows a match of every request is never asked', () => {
  expect(rulesOf({ match: [{ uri: { prefix: '/' } }, { uri: { prefix: '/x' } }] })).toHaveLength(1);
});
