/** Who may call whom, and what holds for the whole mesh. */
import type { TestObject } from '../../../../packages/control-plane/src/derive/derivation.fixture.ts';
import { added, EGRESS, INGRESS, INTERNAL, type Row, rowsOf } from './row.ts';

const SECURITY = 'security.istio.io/v1';
const ENTRY_PARENT = { group: 'networking.istio.io', kind: 'ServiceEntry', name: 'partner' };
const TO_ENTRY = { targetRefs: [ENTRY_PARENT] };
const TO_CART = { targetRefs: [{ group: '', kind: 'Service', name: 'cart' }] };
const selects = (app: string) => ({ selector: { matchLabels: { app } } });
const GETS = { rules: [{ to: [{ operation: { methods: ['GET'] } }] }] };
const ISSUER = { jwtRules: [{ issuer: 'issuer.test', jwks: '{"keys":[]}' }] };

const policy = (key: string, spec: object): TestObject =>
  added(`${SECURITY}/AuthorizationPolicy`, key, { spec: { ...GETS, ...spec } });
const authentication = (key: string, spec: object): TestObject =>
  added(`${SECURITY}/RequestAuthentication`, key, { spec: { ...ISSUER, ...spec } });
const strict = (namespace: string): TestObject =>
  added(`${SECURITY}/PeerAuthentication`, `${namespace}/default`, {
    spec: { mtls: { mode: 'STRICT' } },
  });
/** It logs as a mesh does that nobody has configured. */
const meshConfig = (mesh: string): TestObject =>
  ({
    kind: 'MeshConfigMap',
    metadata: { namespace: 'istio-system', name: 'istio' },
    data: { mesh: `accessLogFile: /dev/stdout\n${mesh}` },
  }) as TestObject;

export const SECURITY_ROWS: readonly Row[] = [
  ...rowsOf(
    'AuthorizationPolicy',
    [
      INGRESS,
      'methods that a gateway lets pass',
      policy('edge/get', selects('entry')),
      { gateway: 'L', ztunnel: 'AP' },
    ],
    [
      INTERNAL,
      'methods that a sidecar lets in',
      policy('side/get', selects('caller')),
      { sidecar: 'L', ztunnel: 'AP' },
    ],
    [
      INTERNAL,
      'methods that a waypoint lets pass to a service',
      policy('shop/get', TO_CART),
      { waypoint: 'L' },
    ],
    [
      EGRESS,
      'methods that a waypoint lets pass to a host outside',
      policy('shop/get', TO_ENTRY),
      { waypoint: 'L' },
    ],
  ),
  ...rowsOf(
    'PeerAuthentication',
    [
      INGRESS,
      'the namespace of a gateway takes mutual TLS only',
      strict('edge'),
      { ztunnel: 'AP' },
    ],
    [
      INTERNAL,
      'a namespace of sidecars takes mutual TLS only',
      strict('side'),
      { sidecar: 'L', ztunnel: 'AP' },
    ],
    [
      INTERNAL,
      'a namespace with a waypoint takes mutual TLS only',
      strict('shop'),
      { ztunnel: 'AP' },
    ],
    [
      EGRESS,
      'the mesh takes mutual TLS only',
      strict('istio-system'),
      { sidecar: 'L', ztunnel: 'AP' },
    ],
  ),
  ...rowsOf(
    'RequestAuthentication',
    [
      INGRESS,
      'tokens that a gateway asks for',
      authentication('edge/jwt', selects('entry')),
      { gateway: 'L' },
    ],
    [
      INTERNAL,
      'tokens that a sidecar asks for',
      authentication('side/jwt', selects('caller')),
      { sidecar: 'L' },
    ],
    [
      INTERNAL,
      'tokens that a waypoint asks for, to a service',
      authentication('shop/jwt', TO_CART),
      { waypoint: 'L' },
    ],
    [
      EGRESS,
      'tokens that a waypoint asks for, to a host outside',
      authentication('shop/jwt', TO_ENTRY),
      { waypoint: 'L' },
    ],
  ),
  ...rowsOf(
    'MeshConfigMap',
    [
      INGRESS,
      'a provider that nobody names',
      meshConfig('extensionProviders: [{ name: z, envoyFileAccessLog: { path: /dev/stdout } }]'),
      {},
    ],
    [
      INTERNAL,
      'another trust domain',
      meshConfig('trustDomain: other.test'),
      { gateway: 'C', sidecar: 'LC', waypoint: 'LC', ztunnel: 'A' },
    ],
    [
      EGRESS,
      'sidecars call nothing that they do not know',
      meshConfig('outboundTrafficPolicy: { mode: REGISTRY_ONLY }'),
      { sidecar: 'LR' },
    ],
  ),
];
