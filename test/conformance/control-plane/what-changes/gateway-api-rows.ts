/** What the Gateway API has beside routes of services: gateways for clients from outside, and what is attached to them. */
import type { TestObject } from '../../../../packages/control-plane/src/derive/derivation.fixture.ts';
import { added, EGRESS, INGRESS, INTERNAL, type Row, rowsOf } from './row.ts';

const GATEWAY_API = 'gateway.networking.k8s.io/v1';
const FRONT = {
  group: 'gateway.networking.k8s.io',
  kind: 'Gateway',
  namespace: 'edge',
  name: 'front',
};
const STOCK = { group: '', kind: 'Service', name: 'stock' };
const CART = { group: '', kind: 'Service', name: 'cart' };
const PARTNER = { group: 'networking.istio.io', kind: 'ServiceEntry', name: 'partner' };

type Kind = 'HTTPRoute' | 'GRPCRoute' | 'TCPRoute' | 'TLSRoute';

/** To `stock` of namespace `side`, or `cart` of `shop`. */
function route(kind: Kind, key: string, parent: object): TestObject {
  const name = key.startsWith('side/') ? 'stock' : 'cart';
  const hostnames = kind === 'TLSRoute' ? { hostnames: ['secret.test'] } : {};
  const rules = [{ backendRefs: [{ name, port: 80 }] }];
  return added(`${GATEWAY_API}/${kind}`, key, {
    spec: { parentRefs: [parent], ...hostnames, rules },
  });
}

function tlsTo(key: string, target: object): TestObject {
  const validation = { hostname: 'inner.test', wellKnownCACertificates: 'System' };
  return added(`${GATEWAY_API}/BackendTLSPolicy`, key, {
    spec: { targetRefs: [target], validation },
  });
}

const listeners = (key: string, parentRef: object): TestObject =>
  added(`${GATEWAY_API}/ListenerSet`, key, {
    spec: { parentRef, listeners: [{ name: 'more', port: 81, protocol: 'HTTP' }] },
  });

const grant = (namespace: string, from: string): TestObject =>
  added(`${GATEWAY_API}/ReferenceGrant`, `${namespace}/from-${from}`, {
    spec: {
      from: [{ group: 'gateway.networking.k8s.io', kind: 'HTTPRoute', namespace: from }],
      to: [{ group: '', kind: 'Service' }],
    },
  });

export const GATEWAY_API_ROWS: readonly Row[] = [
  ...rowsOf('HTTPRoute', [
    INGRESS,
    'routes at a gateway',
    route('HTTPRoute', 'side/web', { ...FRONT, sectionName: 'web' }),
    { gateway: 'R' },
  ]),
  ...rowsOf('GRPCRoute', [
    INGRESS,
    'routes at a gateway',
    route('GRPCRoute', 'side/rpc', { ...FRONT, sectionName: 'web' }),
    { gateway: 'R' },
  ]),
  ...rowsOf(
    'TCPRoute',
    [
      INGRESS,
      'where connections to a port of a gateway go',
      route('TCPRoute', 'side/raw', { ...FRONT, sectionName: 'raw' }),
      { gateway: 'L' },
    ],
    [INTERNAL, 'where connections to a service go', route('TCPRoute', 'shop/raw', CART), {}],
    [EGRESS, 'where connections to a host outside go', route('TCPRoute', 'shop/raw', PARTNER), {}],
  ),
  ...rowsOf(
    'TLSRoute',
    [
      INGRESS,
      'where TLS for a name goes, at a gateway',
      route('TLSRoute', 'side/names', { ...FRONT, sectionName: 'names' }),
      { gateway: 'L' },
    ],
    [INTERNAL, 'where TLS to a service goes', route('TLSRoute', 'shop/names', CART), {}],
    [EGRESS, 'where TLS to a host outside goes', route('TLSRoute', 'shop/names', PARTNER), {}],
  ),
  ...rowsOf(
    'ListenerSet',
    [INGRESS, 'another listener of a gateway', listeners('edge/more', FRONT), { gateway: 'LR' }],
    [
      INTERNAL,
      'another listener of a waypoint',
      listeners('shop/more', { ...FRONT, namespace: 'shop', name: 'waypoint' }),
      {},
    ],
    [
      EGRESS,
      'a listener of a gateway that there is not',
      listeners('edge/lost', { ...FRONT, name: 'nobody' }),
      {},
    ],
  ),
  ...rowsOf(
    'ReferenceGrant',
    [
      INGRESS,
      'routes of the gateway’s namespace may lead to a service of another',
      grant('side', 'edge'),
      { gateway: 'R' },
    ],
    [
      INTERNAL,
      'routes of services may lead to another namespace, as they may without',
      grant('shop', 'side'),
      {},
    ],
    [EGRESS, 'a namespace that nobody leads to lets others in', grant('edge', 'side'), {}],
  ),
  ...rowsOf(
    'BackendTLSPolicy',
    [
      INGRESS,
      'TLS to a service behind a gateway',
      tlsTo('side/stock', STOCK),
      { gateway: 'C', sidecar: 'C' },
    ],
    [
      INTERNAL,
      'TLS to a service behind a waypoint',
      tlsTo('shop/cart', CART),
      { gateway: 'C', sidecar: 'C', waypoint: 'C' },
    ],
    [EGRESS, 'TLS to a host outside', tlsTo('shop/partner', PARTNER), {}],
  ),
];
