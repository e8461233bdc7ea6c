import { CART, type Example, SIDECAR_ROUTES, WAYPOINT_LISTENER } from './example.ts';

function route(
  kind: 'HTTPRoute' | 'GRPCRoute',
  rules: string,
  namespace = 'shop',
  parent = 'cart',
) {
  return `
apiVersion: gateway.networking.k8s.io/v1
kind: ${kind}
metadata: { namespace: ${namespace}, name: example, uid: example }
spec:
  parentRefs: [{ group: "", kind: Service, name: ${parent}, port: 80 }]
  rules: ${rules}`;
}

const TO_CART = 'backendRefs: [{ name: cart, port: 80 }]';
const ACCEPTED = { type: 'Accepted', status: 'True' };

function waypoint(name: string, labels: string, listener: string): string {
  return `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { namespace: side, name: ${name}, uid: ${name}, labels: ${labels} }
spec:
  gatewayClassName: istio-waypoint
  listeners: [${listener}]`;
}

const MESH_LISTENER = '{ name: mesh, port: 15008, protocol: HBONE }';

export const ROUTES: readonly Example[] = [
  {
    kind: 'HTTPRoute',
    shows: 'paths and headers lead to a service, at its waypoint, and the route says that it holds',
    given: route(
      'HTTPRoute',
      `
    - matches: [{ path: { type: PathPrefix, value: /v2 }, headers: [{ name: env, value: canary }] }]
      ${TO_CART}`,
    ),
    promises: [
      {
        ...WAYPOINT_LISTENER,
        has: {
          match: {
            pathSeparatedPrefix: '/v2',
            headers: [{ name: 'env', stringMatch: { exact: 'canary' } }],
          },
        },
      },
      { status: 'HTTPRoute shop/example', has: ACCEPTED },
      { status: 'HTTPRoute shop/example', has: { type: 'ResolvedRefs', status: 'True' } },
    ],
  },
  {
    kind: 'HTTPRoute',
    shows: 'requests are shared out by weight, in the mesh to other namespaces, too',
    given: route(
      'HTTPRoute',
      '[{ backendRefs: [{ name: cart, port: 80, weight: 90 }, { name: stock, namespace: side, port: 80, weight: 10 }] }]',
    ),
    promises: [
      { ...WAYPOINT_LISTENER, has: { name: `inbound-vip|80|http|${CART}`, weight: 90 } },
      {
        status: 'HTTPRoute shop/example',
        has: { type: 'ResolvedRefs', status: 'True' },
      },
    ],
  },
  {
    kind: 'HTTPRoute',
    shows: 'headers are changed, and the path written anew',
    given: route(
      'HTTPRoute',
      `
    - filters:
        - { type: RequestHeaderModifier, requestHeaderModifier: { set: [{ name: x-env, value: test }], remove: [x-old] } }
        - { type: URLRewrite, urlRewrite: { path: { type: ReplaceFullPath, replaceFullPath: /all } } }
      ${TO_CART}`,
    ),
    promises: [
      {
        ...WAYPOINT_LISTENER,
        has: {
          requestHeadersToAdd: [{ header: { key: 'x-env', value: 'test' } }],
          requestHeadersToRemove: ['x-old'],
        },
      },
      { ...WAYPOINT_LISTENER, has: { regexRewrite: { substitution: '/all' } } },
    ],
  },
  {
    kind: 'HTTPRoute',
    shows: 'clients are led to HTTPS',
    given: route(
      'HTTPRoute',
      '[{ filters: [{ type: RequestRedirect, requestRedirect: { scheme: https, statusCode: 301 } }] }]',
    ),
    promises: [{ ...WAYPOINT_LISTENER, has: { redirect: { schemeRedirect: 'https' } } }],
  },
  {
    kind: 'HTTPRoute',
    shows: 'a request has ten seconds, each try two',
    given: route('HTTPRoute', `[{ timeouts: { request: 10s, backendRequest: 2s }, ${TO_CART} }]`),
    promises: [
      { ...WAYPOINT_LISTENER, has: { timeout: '10s', retryPolicy: { perTryTimeout: '2s' } } },
    ],
  },
  {
    kind: 'HTTPRoute',
    shows: 'sidecars follow a route of the service that they call',
    given: route(
      'HTTPRoute',
      '[{ timeouts: { request: 3s }, backendRefs: [{ name: stock, port: 80 }] }]',
      'side',
      'stock',
    ),
    promises: [{ ...SIDECAR_ROUTES, has: { timeout: '3s' } }],
  },
  {
    kind: 'HTTPRoute',
    shows: 'a service that is not there is named in the status, and answered 500',
    given: route('HTTPRoute', '[{ backendRefs: [{ name: nobody, port: 80 }] }]'),
    promises: [
      {
        status: 'HTTPRoute shop/example',
        has: { type: 'ResolvedRefs', status: 'False', reason: 'BackendNotFound' },
      },
      { ...WAYPOINT_LISTENER, has: { clusterNotFoundResponseCode: 'INTERNAL_SERVER_ERROR' } },
    ],
  },
  {
    kind: 'GRPCRoute',
    shows: 'one method of a service leads to a service',
    given: route(
      'GRPCRoute',
      `[{ matches: [{ method: { service: shop.Carts, method: Read } }], ${TO_CART} }]`,
    ),
    promises: [
      { ...WAYPOINT_LISTENER, has: { match: { path: '/shop.Carts/Read' } } },
      { status: 'GRPCRoute shop/example', has: ACCEPTED },
    ],
  },
  {
    kind: 'waypoint',
    shows: 'a Gateway becomes a proxy, a Service and an account, which it owns',
    given: waypoint('own', '{}', MESH_LISTENER),
    promises: [
      {
        object: 'Deployment side/own',
        has: { ownerReferences: [{ kind: 'Gateway', name: 'own' }] },
      },
      { object: 'Service side/own', has: { port: 15_008, name: 'mesh' } },
      { object: 'ServiceAccount side/own', has: { name: 'own' } },
    ],
  },
  {
    kind: 'waypoint',
    shows: 'a Service names the waypoint that its traffic takes, whatever its namespace says',
    given: `
apiVersion: v1
kind: Service
metadata: { namespace: shop, name: free, uid: free, labels: { istio.io/use-waypoint: none } }
spec: { clusterIP: 10.96.0.70, clusterIPs: [10.96.0.70], ports: [{ name: http, port: 80 }] }`,
    promises: [
      { to: 'ztunnel', type: 'Address', name: `shop/${CART}`, has: { hboneMtlsPort: 15_008 } },
      {
        to: 'ztunnel',
        type: 'Address',
        name: 'shop/free.shop.svc.cluster.local',
        hasNo: { hboneMtlsPort: 15_008 },
      },
    ],
  },
  {
    kind: 'waypoint',
    shows: 'a listener that is not of HBONE is refused, and the status says what is expected',
    given: waypoint('odd', '{}', '{ name: http, port: 80, protocol: HTTP }'),
    promises: [
      {
        status: 'Gateway side/odd',
        has: { type: 'Accepted', status: 'False', reason: 'UnsupportedProtocol' },
      },
    ],
  },
];
