import { type Example, SIDECAR_INBOUND, WAYPOINT_LISTENER } from './example.ts';

function policy(spec: string, namespace = 'side'): string {
  return `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { namespace: ${namespace}, name: example, uid: example }
spec: ${spec}`;
}

const authentication = (spec: string): string => `
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: { namespace: side, name: tokens, uid: tokens }
spec: ${spec}`;

const NODE_POLICY = { to: 'ztunnel', type: 'Authorization', name: 'side/example' } as const;
const OF_HTTP = { name: 'envoy.filters.http.rbac' };

export const SECURITY: readonly Example[] = [
  {
    kind: 'AuthorizationPolicy',
    shows: 'a policy without rules lets nobody in',
    given: policy('{}'),
    promises: [
      { ...SIDECAR_INBOUND, has: { ...OF_HTTP, typedConfig: { rules: {} } } },
      { ...SIDECAR_INBOUND, hasNo: { principals: [{ any: true }] } },
      { ...NODE_POLICY, has: { name: 'example', namespace: 'side' } },
    ],
  },
  {
    kind: 'AuthorizationPolicy',
    shows: 'a policy with one empty rule lets everybody in',
    given: policy('{ rules: [{}] }'),
    promises: [{ ...SIDECAR_INBOUND, has: { principals: [{ andIds: { ids: [{ any: true }] } }] } }],
  },
  {
    kind: 'AuthorizationPolicy',
    shows: 'one account may get pages below a path, with a token of one issuer',
    given: policy(`
  selector: { matchLabels: { app: caller } }
  action: ALLOW
  rules:
    - from: [{ source: { principals: [cluster.local/ns/shop/sa/sleep] } }]
      to: [{ operation: { methods: [GET], paths: [/info*] } }]
      when: [{ key: "request.auth.claims[iss]", values: [https://issuer.test] }]`),
    promises: [
      { ...SIDECAR_INBOUND, has: { exact: 'spiffe://cluster.local/ns/shop/sa/sleep' } },
      { ...SIDECAR_INBOUND, has: { name: ':method', stringMatch: { exact: 'GET' } } },
      { ...SIDECAR_INBOUND, has: { path: { prefix: '/info' } } },
      { ...SIDECAR_INBOUND, has: { path: [{ key: 'payload' }, { key: 'iss' }] } },
    ],
  },
  {
    kind: 'AuthorizationPolicy',
    shows: 'a namespace is kept from posting, whatever else is allowed',
    given: policy(`
  action: DENY
  rules:
    - from: [{ source: { namespaces: [dev] } }]
      to: [{ operation: { methods: [POST] } }]`),
    promises: [
      { ...SIDECAR_INBOUND, has: { ...OF_HTTP, typedConfig: { rules: { action: 'DENY' } } } },
      { ...SIDECAR_INBOUND, has: { safeRegex: { regex: '.*/ns/dev/.*' } } },
    ],
  },
  {
    kind: 'AuthorizationPolicy',
    shows: 'everybody but one namespace is denied, at the node as well',
    given: policy('{ action: DENY, rules: [{ from: [{ source: { notNamespaces: [shop] } }] }] }'),
    promises: [
      { ...SIDECAR_INBOUND, has: { notId: {} } },
      { ...NODE_POLICY, has: { action: 'DENY' } },
      { ...NODE_POLICY, has: { notNamespaces: [{ exact: 'shop' }] } },
    ],
  },
  {
    kind: 'AuthorizationPolicy',
    shows: 'addresses of clients are looked at',
    given: policy('{ rules: [{ from: [{ source: { ipBlocks: [198.51.100.0/24] } }] }] }'),
    promises: [
      {
        ...SIDECAR_INBOUND,
        has: { directRemoteIp: { addressPrefix: '198.51.100.0', prefixLen: 24 } },
      },
    ],
  },
  {
    kind: 'AuthorizationPolicy',
    shows: 'a dry run decides nothing',
    given: `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { namespace: side, name: example, uid: example, annotations: { istio.io/dry-run: "true" } }
spec: { action: DENY, rules: [{ to: [{ operation: { paths: [/admin] } }] }] }`,
    promises: [
      { ...SIDECAR_INBOUND, has: { shadowRules: { action: 'DENY' } } },
      { ...SIDECAR_INBOUND, hasNo: { rules: { action: 'DENY' } } },
    ],
  },
  {
    kind: 'AuthorizationPolicy',
    shows: 'who would have to be asked and is not there keeps requests out',
    given: policy(
      '{ action: CUSTOM, provider: { name: nobody }, rules: [{ to: [{ operation: { paths: [/admin] } }] }] }',
    ),
    promises: [
      { ...SIDECAR_INBOUND, has: { ...OF_HTTP, typedConfig: { rules: { action: 'DENY' } } } },
    ],
  },
  {
    kind: 'AuthorizationPolicy',
    shows: 'at a waypoint a policy holds for the service that it names',
    given: policy(
      `
  targetRefs: [{ group: "", kind: Service, name: cart }]
  rules: [{ to: [{ operation: { methods: [GET] } }] }]`,
      'shop',
    ),
    promises: [
      { ...WAYPOINT_LISTENER, has: { name: ':method', stringMatch: { exact: 'GET' } } },
      {
        status: 'AuthorizationPolicy shop/example',
        has: { type: 'WaypointAccepted', status: 'True' },
      },
    ],
  },
  {
    kind: 'AuthorizationPolicy',
    shows: 'a policy whose target is not there says so',
    given: policy(
      '{ targetRefs: [{ group: "", kind: Service, name: nobody }], rules: [{}] }',
      'shop',
    ),
    promises: [
      {
        status: 'AuthorizationPolicy shop/example',
        has: { type: 'WaypointAccepted', status: 'False' },
      },
    ],
  },
  {
    kind: 'AuthorizationPolicy',
    shows: 'a gateway keeps clients out by their addresses',
    given: policy(
      `
  selector: { matchLabels: { app: entry } }
  action: DENY
  rules: [{ from: [{ source: { remoteIpBlocks: [203.0.113.0/24] } }] }]`,
      'edge',
    ),
    promises: [
      {
        to: 'gateway',
        type: 'Listener',
        name: '0.0.0.0_8080',
        has: { remoteIp: { addressPrefix: '203.0.113.0', prefixLen: 24 } },
      },
    ],
  },
  {
    kind: 'RequestAuthentication',
    shows: 'tokens are verified where they come in, at a gateway',
    given: `
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: { namespace: edge, name: tokens, uid: tokens }
spec:
  selector: { matchLabels: { app: entry } }
  jwtRules: [{ issuer: issuer.test, jwks: "{}" }]`,
    promises: [
      {
        to: 'gateway',
        type: 'Listener',
        name: '0.0.0.0_8080',
        has: { name: 'envoy.filters.http.jwt_authn' },
      },
    ],
  },
  {
    kind: 'RequestAuthentication',
    shows: 'tokens of one issuer are verified, wherever a header carries them',
    given: authentication(`
  selector: { matchLabels: { app: caller } }
  jwtRules:
    - issuer: issuer.test
      jwks: '{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}'
      audiences: [shop]
      fromHeaders: [{ name: x-token, prefix: "Bearer " }]
      forwardOriginalToken: true`),
    promises: [
      {
        ...SIDECAR_INBOUND,
        has: {
          issuer: 'issuer.test',
          audiences: ['shop'],
          forward: true,
          fromHeaders: [{ name: 'x-token', valuePrefix: 'Bearer ' }],
        },
      },
    ],
  },
  {
    kind: 'RequestAuthentication',
    shows: 'with a policy beside it, requests without a token are denied',
    given: `${authentication('{ jwtRules: [{ issuer: issuer.test, jwks: "{}" }] }')}
---
${policy('{ action: DENY, rules: [{ from: [{ source: { notRequestPrincipals: ["*"] } }] }] }')}`,
    promises: [
      { ...SIDECAR_INBOUND, has: { name: 'envoy.filters.http.jwt_authn' } },
      { ...SIDECAR_INBOUND, has: { notId: {} } },
    ],
  },
  {
    kind: 'PeerAuthentication',
    shows: 'a namespace takes mutual TLS only',
    given: `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { namespace: side, name: default, uid: strict }
spec: { mtls: { mode: STRICT } }`,
    promises: [
      { ...SIDECAR_INBOUND, has: { requireClientCertificate: true } },
      { ...SIDECAR_INBOUND, hasNo: { filterChainMatch: { transportProtocol: 'raw_buffer' } } },
      {
        to: 'ztunnel',
        type: 'Authorization',
        name: 'istio-system/istio_converted_static_strict',
        has: { action: 'DENY' },
      },
    ],
  },
  {
    kind: 'PeerAuthentication',
    shows: 'one port of a workload takes plaintext, in a namespace that takes mutual TLS only',
    given: `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { namespace: side, name: default, uid: strict }
spec: { mtls: { mode: STRICT } }
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { namespace: side, name: port, uid: port }
spec: { selector: { matchLabels: { app: caller } }, portLevelMtls: { 8080: { mode: DISABLE } } }`,
    promises: [
      {
        ...SIDECAR_INBOUND,
        has: { filterChainMatch: { destinationPort: 8080, transportProtocol: 'raw_buffer' } },
      },
    ],
  },
];
