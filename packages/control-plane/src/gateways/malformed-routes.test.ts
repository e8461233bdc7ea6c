import { expect, test } from 'vitest';
import type { Malformed } from '../ingest/malformed.ts';
import { writtenAbout } from '../status/written.fixture.ts';
import { malformedRouteWishes } from './malformed-routes.ts';

function malformed(
  kind: 'HTTPRoute' | 'GRPCRoute' | 'TCPRoute' | 'TLSRoute',
  rest: object,
): Malformed {
  const object = { kind, metadata: { namespace: 'shop', name: 'x', generation: 4 }, ...rest };
  return { kind, object: object as never, problem: 'spec.rules[0].matches is no list' };
}

const GATEWAYS = [
  {
    kind: 'GatewayClass',
    metadata: { name: 'istio' },
    spec: { controllerName: 'istio.io/gateway-controller' },
  },
  ...['istio', 'others'].map((gatewayClassName) => ({
    kind: 'Gateway',
    metadata: { namespace: 'shop', name: `of-${gatewayClassName}` },
    spec: { gatewayClassName, listeners: [{ name: 'web', port: 80, protocol: 'HTTP' }] },
  })),
];

function written(one: Malformed): readonly object[] {
  return writtenAbout(
    GATEWAYS,
    (derivation) =>
      malformedRouteWishes(derivation.graph, derivation.malformed, derivation.routing.gatewayApi),
    [one],
  );
}

const PARENT = { group: '', kind: 'Service', name: 'cart' };
const SAID = {
  type: 'Accepted',
  status: 'False',
  reason: 'UnsupportedValue',
  message: expect.stringContaining('spec.rules[0].matches is no list'),
  observedGeneration: 4,
  lastTransitionTime: expect.any(String),
};

test.for(['HTTPRoute', 'GRPCRoute', 'TCPRoute', 'TLSRoute'] as const)(
  'each parent of a malformed %s is told that it is not accepted',
  (kind) => {
    const parentRefs = [PARENT, { ...PARENT, name: 'orders' }];
    const spec = {
      parentRefs: [...parentRefs, { name: 'a-gateway-of-others' }],
      rules: [{ matches: 7 }],
    };
    const [body] = written(malformed(kind, { spec }));
    const parents = parentRefs.map((parentRef) =>
      expect.objectContaining({ parentRef, conditions: [SAID] }),
    );
    expect(body).toMatchObject({ status: { parents } });
  },
);

test('parents that cannot be read are left out, and what others say stays', () => {
  const others = { parentRef: PARENT, controllerName: 'example.com/other', conditions: [] };
  const spec = { parentRefs: [7, { name: 8 }, { ...PARENT, port: 'x' }, PARENT], rules: 'none' };
  const [body] = written(malformed('HTTPRoute', { spec, status: { parents: [others, null] } }));
  const ours = expect.objectContaining({ parentRef: PARENT, conditions: [SAID] });
  expect(body).toMatchObject({ status: { parents: [others, ours] } });
});

test.for([{}, { spec: 7 }, { spec: { parentRefs: 'all' } }])(
  'of %o nothing is written: no parent is known',
  (rest) => {
    expect(written(malformed('HTTPRoute', rest))).toEqual([]);
  },
);

test('what is written already is not written again', () => {
  const one = malformed('HTTPRoute', { spec: { parentRefs: [PARENT] } });
  const [body] = written(one);
  const { status } = body as { readonly status: object };
  expect(written({ ...one, object: { ...one.object, status } as never })).toEqual([]);
});

test('a Gateway that is run here is told, too, and one of others is not', () => {
  const parentRefs = [{ name: 'of-istio' }, { name: 'of-others' }];
  const [body] = written(malformed('HTTPRoute', { spec: { parentRefs } }));
  const { parents } = (body as { status: { parents: { parentRef: object }[] } }).status;
  expect(parents.map(({ parentRef }) => parentRef)).toEqual([{ name: 'of-istio' }]);
});
