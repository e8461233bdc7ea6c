import { authorize, type PeerConnection } from '@aquifer/model';
import type { AuthorizationPolicy } from '@aquifer/model/resources';
import { expect, test } from 'vitest';
import { convertPolicy } from './policies.ts';

const CONNECTION: PeerConnection = {
  sourceIdentity: { trustDomain: 'cluster.local', namespace: 'shop', serviceAccount: 'client' },
  sourceIp: '10.0.0.1',
  destinationIp: '10.0.0.2',
  destinationPort: 80,
};

function verdictOf(action: 'ALLOW' | 'DENY', rule: object, connection = CONNECTION) {
  const policy = {
    metadata: { namespace: 'shop', name: 'p' },
    spec: { action, rules: [rule] },
  } as unknown as AuthorizationPolicy;
  const { authorization, verdict } = convertPolicy(policy, 'istio-system');
  const isAllowed = authorize([authorization!], connection).allowed;
  return { isAllowed, status: verdict?.status, reason: verdict?.reason, message: verdict?.message };
}

const ELSEWHERE = { from: [{ source: { namespaces: ['elsewhere'] } }] };
const HERE = { from: [{ source: { namespaces: ['shop'] } }] };
const HTTP_CLAUSES = {
  'methods only': { to: [{ operation: { methods: ['DELETE'] } }] },
  'one of two operations': {
    to: [{ operation: { paths: ['/admin'] } }, { operation: { ports: ['9000'] } }],
  },
  'a negative attribute': { to: [{ operation: { notHosts: ['a.example'] } }] },
  'a header': { when: [{ key: 'request.headers[x]', values: ['1'] }] },
  'no request principal': { from: [{ source: { notRequestPrincipals: ['*'] } }] },
};

test.for(Object.entries(HTTP_CLAUSES))(
  'a DENY rule with %s denies, because it cannot be seen that it does not hold',
  ([, clause]) => {
    expect(verdictOf('DENY', clause)).toMatchObject({
      isAllowed: false,
      status: 'True',
      reason: 'UnsupportedValue',
    });
    expect(verdictOf('ALLOW', clause).isAllowed).toBe(false);
  },
);

test('what ztunnel sees of a DENY rule with HTTP attributes still limits it', () => {
  const operation = { to: [{ operation: { methods: ['DELETE'] } }] };
  expect(verdictOf('DENY', { ...operation, ...HERE }).isAllowed).toBe(false);
  expect(verdictOf('DENY', { ...operation, ...ELSEWHERE }).isAllowed).toBe(true);
  const onPort = { to: [{ operation: { methods: ['DELETE'], ports: ['9000'] } }] };
  expect(verdictOf('DENY', onPort).isAllowed).toBe(true);
});

const UNREADABLE = {
  'a port name': { to: [{ operation: { ports: ['http'] } }] },
  'a port name among numbers': { to: [{ operation: { ports: ['http', '9000'] } }] },
  'no range': { from: [{ source: { ipBlocks: ['10.0.0.0/99'] } }] },
  'no port in a condition': { when: [{ key: 'destination.port', values: ['web'] }] },
};

test.for(Object.entries(UNREADABLE))(
  'with %s a DENY rule denies, an ALLOW rule does not allow, and the status names it',
  ([, clause]) => {
    const denied = verdictOf('DENY', clause);
    expect(denied).toMatchObject({ isAllowed: false, status: 'False', reason: 'UnsupportedValue' });
    expect(denied.message).toMatch(/^cannot be read: (ports|ipBlocks|destination.port) "/);
    expect(verdictOf('ALLOW', clause)).toMatchObject({ isAllowed: false, status: 'False' });
  },
);

test('an unreadable exception widens neither action', () => {
  const clause = { from: [{ source: { namespaces: ['shop'], notIpBlocks: ['10.0.0.x'] } }] };
  expect(verdictOf('ALLOW', clause).isAllowed).toBe(false);
  expect(verdictOf('DENY', clause).isAllowed).toBe(false);
});

test('a source that says nothing matches everybody in a DENY rule, and nobody in an ALLOW rule', () => {
  const clause = { from: [{ source: {} }] };
  expect(verdictOf('DENY', clause).isAllowed).toBe(false);
  expect(verdictOf('ALLOW', clause).isAllowed).toBe(false);
});
