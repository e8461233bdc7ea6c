/** What hangs on Gateways, and routes of bytes. */
import { readFileSync } from 'node:fs';
import type { TestObject } from '../../../../packages/control-plane/src/derive/derivation.fixture.ts';
import { added, EGRESS, INGRESS, INTERNAL, type Row, rowsOf } from './row.ts';

const GROUP = 'gateway.networking.k8s.io';
const FRONT = { group: GROUP, kind: 'Gateway', name: 'front' };
const CART = { group: '', kind: 'Service', name: 'cart' };
const PARTNER = { group: 'networking.istio.io', kind: 'ServiceEntry', name: 'partner' };

const PORTS = { TCPRoute: 9000, TLSRoute: 443 } as const;

const route = (kind: 'TCPRoute' | 'TLSRoute', key: string, parent: object): TestObject =>
  added(`${GROUP}/v1/${kind}`, key, {
    spec: {
      parentRefs: [parent],
      hostnames: [parent === PARTNER ? 'partner.test' : 'cart.shop.svc.cluster.local'],
      rules: [
        { backendRefs: [{ name: key.startsWith('edge/') ? 'entry' : 'cart', port: PORTS[kind] }] },
      ],
    },
  });

const verified = (key: string, target: object): TestObject =>
  added(`${GROUP}/v1/BackendTLSPolicy`, key, {
    spec: {
      targetRefs: [target],
      validation: { hostname: 'site.test', wellKnownCACertificates: 'System' },
    },
  });

const RECORDED = new URL(
  '../../../fixtures/golden/l7/21-gwapi-gateway/objects.json',
  import.meta.url,
);
const [CERTIFICATE] = (JSON.parse(readFileSync(RECORDED, 'utf8')) as TestObject[]).filter(
  ({ kind }) => kind === 'Secret',
);

export const GATEWAY_API_ROWS: readonly Row[] = [
  ...rowsOf(
    'TCPRoute',
    [
      INGRESS,
      'where bytes go that reach a gateway',
      route('TCPRoute', 'edge/raw', FRONT),
      { gateway: 'L' },
    ],
    [
      INTERNAL,
      'where bytes go that reach a service',
      route('TCPRoute', 'shop/raw', CART),
      { sidecar: 'L', waypoint: 'L' },
    ],
    [
      EGRESS,
      'where bytes go that reach a host outside',
      route('TCPRoute', 'shop/raw', PARTNER),
      { sidecar: 'L', waypoint: 'L' },
    ],
  ),
  ...rowsOf(
    'TLSRoute',
    [
      INGRESS,
      'where TLS goes that a gateway passes',
      route('TLSRoute', 'edge/raw', FRONT),
      { gateway: 'L' },
    ],
    [
      INTERNAL,
      'where TLS goes that reaches a service',
      route('TLSRoute', 'shop/raw', CART),
      { sidecar: 'L', waypoint: 'L' },
    ],
    [
      EGRESS,
      'where TLS goes that reaches a host outside',
      route('TLSRoute', 'shop/raw', PARTNER),
      { sidecar: 'L', waypoint: 'L' },
    ],
  ),
  ...rowsOf(
    'BackendTLSPolicy',
    [
      INGRESS,
      'a service that a gateway leads to is called over TLS',
      verified('side/stock', { group: '', kind: 'Service', name: 'stock' }),
      { gateway: 'C', sidecar: 'C' },
    ],
    [
      INTERNAL,
      'a service behind a waypoint is called over TLS',
      verified('shop/cart', CART),
      { gateway: 'C', sidecar: 'C', waypoint: 'C' },
    ],
    [
      EGRESS,
      'a host outside cannot be called over TLS so: only Services can',
      verified('shop/partner', PARTNER),
      {},
    ],
  ),
  ...rowsOf('ListenerSet', [
    INGRESS,
    'another listener of a gateway',
    added(`${GROUP}/v1/ListenerSet`, 'edge/more', {
      spec: { parentRef: FRONT, listeners: [{ name: 'more', port: 8091, protocol: 'HTTP' }] },
    }),
    { gateway: 'LR' },
  ]),
  ...rowsOf('ReferenceGrant', [
    INGRESS,
    'a gateway may lead to services of another namespace',
    added(`${GROUP}/v1beta1/ReferenceGrant`, 'side/edge', {
      spec: {
        from: [{ group: GROUP, kind: 'HTTPRoute', namespace: 'edge' }],
        to: [{ group: '', kind: 'Service' }],
      },
    }),
    { gateway: 'R' },
  ]),
  ...rowsOf('Secret', [
    INGRESS,
    'the certificate of a listener',
    { ...CERTIFICATE!, metadata: { namespace: 'edge', name: 'site', uid: 'site' } },
    { gateway: 'LR' },
  ]),
];
