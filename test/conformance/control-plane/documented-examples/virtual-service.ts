import {
  type Example,
  GATEWAY_ROUTES,
  SIDECAR_ROUTES,
  STOCK,
  WAYPOINT_LISTENER,
} from './example.ts';

const CLUSTER = `outbound|80||${STOCK}`;

function rules(http: string): string {
  return `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { namespace: side, name: example, uid: example }
spec:
  hosts: [stock]
  http:${http}`;
}

const SUBSETS = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { namespace: side, name: versions, uid: versions }
spec:
  host: stock
  subsets:
    - { name: old, labels: { version: v1 } }
    - { name: new, labels: { version: v2 } }
---`;

export const VIRTUAL_SERVICES: readonly Example[] = [
  {
    kind: 'VirtualService',
    shows: 'requests of one user go to one version, all others to the other',
    given: `${SUBSETS}${rules(`
    - match: [{ headers: { end-user: { exact: ada } } }]
      route: [{ destination: { host: stock, subset: new } }]
    - route: [{ destination: { host: stock, subset: old } }]`)}`,
    promises: [
      {
        ...SIDECAR_ROUTES,
        has: {
          match: { headers: [{ name: 'end-user', stringMatch: { exact: 'ada' } }] },
          route: { cluster: `outbound|80|new|${STOCK}` },
        },
      },
      {
        ...SIDECAR_ROUTES,
        has: { match: { prefix: '/' }, route: { cluster: `outbound|80|old|${STOCK}` } },
      },
    ],
  },
  {
    kind: 'VirtualService',
    shows: 'a quarter of the requests goes to the new version',
    given: `${SUBSETS}${rules(`
    - route:
        - { destination: { host: stock, subset: old }, weight: 75 }
        - { destination: { host: stock, subset: new }, weight: 25 }`)}`,
    promises: [
      { ...SIDECAR_ROUTES, has: { name: `outbound|80|old|${STOCK}`, weight: 75 } },
      { ...SIDECAR_ROUTES, has: { name: `outbound|80|new|${STOCK}`, weight: 25 } },
    ],
  },
  {
    kind: 'VirtualService',
    shows:
      'a request has five seconds, and three more tries of two seconds each after failures of the connection',
    given: rules(`
    - route: [{ destination: { host: stock } }]
      timeout: 5s
      retries: { attempts: 3, perTryTimeout: 2s, retryOn: 'connect-failure,refused-stream' }`),
    promises: [
      {
        ...SIDECAR_ROUTES,
        has: {
          cluster: CLUSTER,
          timeout: '5s',
          retryPolicy: {
            numRetries: 3,
            perTryTimeout: '2s',
            retryOn: 'connect-failure,refused-stream',
          },
        },
      },
    ],
  },
  {
    kind: 'VirtualService',
    shows: 'one request in a thousand is delayed by five seconds, one in ten refused',
    given: rules(`
    - fault:
        delay: { percentage: { value: 0.1 }, fixedDelay: 5s }
        abort: { percentage: { value: 10 }, httpStatus: 400 }
      route: [{ destination: { host: stock } }]`),
    promises: [
      {
        ...SIDECAR_ROUTES,
        has: { fixedDelay: '5s', percentage: { numerator: 1000, denominator: 'MILLION' } },
      },
      {
        ...SIDECAR_ROUTES,
        has: { httpStatus: 400, percentage: { numerator: 100_000, denominator: 'MILLION' } },
      },
    ],
  },
  {
    kind: 'VirtualService',
    shows: 'the beginning of a path is written anew, and so is the name of the host',
    given: rules(`
    - match: [{ uri: { prefix: /ratings } }]
      rewrite: { uri: /v1/stars, authority: inner.test }
      route: [{ destination: { host: stock } }]
    - route: [{ destination: { host: stock } }]`),
    promises: [
      {
        ...SIDECAR_ROUTES,
        has: {
          match: { prefix: '/ratings' },
          route: { prefixRewrite: '/v1/stars', hostRewriteLiteral: 'inner.test' },
        },
      },
    ],
  },
  {
    kind: 'VirtualService',
    shows: 'one path is answered by leading the client to another host',
    given: rules(`
    - match: [{ uri: { exact: /old } }]
      redirect: { uri: /new, authority: other.test, redirectCode: 302 }
    - route: [{ destination: { host: stock } }]`),
    promises: [
      {
        ...SIDECAR_ROUTES,
        has: {
          match: { path: '/old' },
          redirect: { hostRedirect: 'other.test', pathRedirect: '/new', responseCode: 'FOUND' },
        },
      },
    ],
  },
  {
    kind: 'VirtualService',
    shows: 'a path is answered at once, with a status and a body',
    given: rules(`
    - match: [{ uri: { exact: /down } }]
      directResponse: { status: 503, body: { string: "back soon" } }
    - route: [{ destination: { host: stock } }]`),
    promises: [
      {
        ...SIDECAR_ROUTES,
        has: { directResponse: { status: 503, body: { inlineString: 'back soon' } } },
      },
    ],
  },
  {
    kind: 'VirtualService',
    shows: 'every request is sent to a second version as well, whose answer nobody sees',
    given: `${SUBSETS}${rules(`
    - route: [{ destination: { host: stock, subset: old } }]
      mirror: { host: stock, subset: new }
      mirrorPercentage: { value: 100 }`)}`,
    promises: [
      {
        ...SIDECAR_ROUTES,
        has: { requestMirrorPolicies: [{ cluster: `outbound|80|new|${STOCK}` }] },
      },
    ],
  },
  {
    kind: 'VirtualService',
    shows: 'headers are set on requests, and taken from answers',
    given: rules(`
    - headers: { request: { set: { tested: "true" } }, response: { remove: [server-name] } }
      route: [{ destination: { host: stock } }]`),
    promises: [
      {
        ...SIDECAR_ROUTES,
        has: {
          requestHeadersToAdd: [
            {
              header: { key: 'tested', value: 'true' },
              appendAction: 'OVERWRITE_IF_EXISTS_OR_ADD',
            },
          ],
          responseHeadersToRemove: ['server-name'],
        },
      },
    ],
  },
  {
    kind: 'VirtualService',
    shows: 'pages of one origin may post, with one header, for a day',
    given: rules(`
    - corsPolicy:
        allowOrigins: [{ exact: 'https://app.test' }]
        allowMethods: [POST]
        allowHeaders: [x-token]
        allowCredentials: false
        maxAge: 24h
      route: [{ destination: { host: stock } }]`),
    promises: [
      {
        ...SIDECAR_ROUTES,
        has: {
          allowOriginStringMatch: [{ exact: 'https://app.test' }],
          allowMethods: 'POST',
          allowHeaders: 'x-token',
          allowCredentials: false,
          maxAge: '86400',
        },
      },
    ],
  },
  {
    kind: 'VirtualService',
    shows: 'only clients with one label are led elsewhere',
    given: rules(`
    - match: [{ sourceLabels: { app: caller } }]
      route: [{ destination: { host: stock, port: { number: 80 } } }]
      timeout: 1s
    - match: [{ sourceLabels: { app: somebody-else } }]
      route: [{ destination: { host: stock } }]
      timeout: 9s
    - route: [{ destination: { host: stock } }]`),
    promises: [
      { ...SIDECAR_ROUTES, has: { cluster: CLUSTER, timeout: '1s' } },
      { ...SIDECAR_ROUTES, hasNo: { cluster: CLUSTER, timeout: '9s' } },
    ],
  },
  {
    kind: 'VirtualService',
    shows: 'a host of a gateway is led to a service inside, by the beginning of the path',
    given: `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { namespace: edge, name: pages, uid: pages }
spec:
  hosts: [pages.test]
  gateways: [entry]
  http:
    - match: [{ uri: { prefix: /stock } }]
      route: [{ destination: { host: ${STOCK}, port: { number: 80 } } }]`,
    promises: [
      {
        ...GATEWAY_ROUTES,
        has: {
          domains: ['pages.test'],
          routes: [{ match: { prefix: '/stock' }, route: { cluster: CLUSTER } }],
        },
      },
      { ...SIDECAR_ROUTES, hasNo: { domains: ['pages.test'] } },
    ],
  },
  {
    kind: 'VirtualService',
    shows: 'one that names a gateway and the mesh holds at both',
    given: `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { namespace: side, name: both, uid: both }
spec:
  hosts: [${STOCK}]
  gateways: [edge/entry, mesh]
  http: [{ timeout: 4s, route: [{ destination: { host: ${STOCK} } }] }]`,
    promises: [
      { ...GATEWAY_ROUTES, has: { cluster: CLUSTER, timeout: '4s' } },
      { ...SIDECAR_ROUTES, has: { cluster: CLUSTER, timeout: '4s' } },
    ],
  },
  {
    kind: 'VirtualService',
    shows: 'part of the rules of a host is delegated to another namespace',
    given: `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { namespace: edge, name: root, uid: root }
spec:
  hosts: [pages.test]
  gateways: [entry]
  http:
    - match: [{ uri: { prefix: /stock } }]
      delegate: { name: part, namespace: side }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { namespace: side, name: part, uid: part }
spec:
  http:
    - match: [{ uri: { prefix: /stock/items } }]
      route: [{ destination: { host: stock } }]`,
    promises: [
      {
        ...GATEWAY_ROUTES,
        has: { match: { prefix: '/stock/items' } },
      },
    ],
  },
  {
    kind: 'VirtualService',
    shows: 'connections to a port are led to a service by their port',
    given: `
apiVersion: v1
kind: Service
metadata: { namespace: side, name: db, uid: db }
spec:
  clusterIP: 10.96.0.40
  clusterIPs: [10.96.0.40]
  ports: [{ name: tcp, port: 5432 }, { name: tcp-replica, port: 5433 }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { namespace: side, name: db, uid: db-rules }
spec:
  hosts: [db]
  tcp:
    - match: [{ port: 5432 }]
      route: [{ destination: { host: db, port: { number: 5433 } } }]`,
    promises: [
      {
        to: 'sidecar',
        type: 'Listener',
        name: '10.96.0.40_5432',
        has: { cluster: 'outbound|5433||db.side.svc.cluster.local' },
      },
    ],
  },
  {
    kind: 'VirtualService',
    shows: 'at a waypoint matches and retries hold for all who call the service',
    given: `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { namespace: shop, name: cart, uid: cart-rules }
spec:
  hosts: [cart]
  http:
    - match: [{ method: { exact: GET }, uri: { regex: "/v[0-9]+/.*" } }]
      retries: { attempts: 4 }
      route: [{ destination: { host: cart } }]
    - route: [{ destination: { host: cart } }]`,
    promises: [
      {
        ...WAYPOINT_LISTENER,
        has: {
          match: {
            safeRegex: { regex: '/v[0-9]+/.*' },
            headers: [{ name: ':method', stringMatch: { exact: 'GET' } }],
          },
        },
      },
      { ...WAYPOINT_LISTENER, has: { retryPolicy: { numRetries: 4 } } },
    ],
  },
];
