import { CART, type Example, SIDECAR_ROUTES, STOCK, sidecarCluster } from './example.ts';

const CLUSTER = sidecarCluster(`outbound|80||${STOCK}`);

function rule(policy: string, subsets = '[]'): string {
  return `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { namespace: side, name: example, uid: example }
spec:
  host: stock
  trafficPolicy: ${policy}
  subsets: ${subsets}`;
}

export const DESTINATION_RULES: readonly Example[] = [
  {
    kind: 'DestinationRule',
    shows: 'whoever has the fewest requests gets the next one, and no longer in a round',
    given: rule('{ loadBalancer: { simple: ROUND_ROBIN } }'),
    promises: [{ ...CLUSTER, hasNo: { lbPolicy: 'LEAST_REQUEST' } }],
  },
  {
    kind: 'DestinationRule',
    shows: 'a version may have a policy of its own over that of the service',
    given: rule(
      '{ loadBalancer: { simple: LEAST_REQUEST } }',
      '[{ name: testing, labels: { version: v3 }, trafficPolicy: { loadBalancer: { simple: RANDOM } } }]',
    ),
    promises: [
      { ...CLUSTER, has: { lbPolicy: 'LEAST_REQUEST' } },
      { ...sidecarCluster(`outbound|80|testing|${STOCK}`), has: { lbPolicy: 'RANDOM' } },
    ],
  },
  {
    kind: 'DestinationRule',
    shows: 'connections and requests are limited, and connections close when idle',
    given: rule(`
    connectionPool:
      tcp: { maxConnections: 100, connectTimeout: 30ms }
      http: { http1MaxPendingRequests: 50, http2MaxRequests: 1000, maxRequestsPerConnection: 10, maxRetries: 5, idleTimeout: 45s }`),
    promises: [
      { ...CLUSTER, has: { connectTimeout: '0.030s' } },
      {
        ...CLUSTER,
        has: { maxConnections: 100, maxPendingRequests: 50, maxRequests: 1000, maxRetries: 5 },
      },
      { ...CLUSTER, has: { idleTimeout: '45s', maxRequestsPerConnection: 10 } },
    ],
  },
  {
    kind: 'DestinationRule',
    shows: 'who fails seven times in a row is left out for a quarter of an hour',
    given: rule(
      '{ outlierDetection: { consecutive5xxErrors: 7, interval: 5m, baseEjectionTime: 15m } }',
    ),
    promises: [
      {
        ...CLUSTER,
        has: { consecutive5xx: 7, interval: '300s', baseEjectionTime: '900s' },
      },
    ],
  },
  {
    kind: 'DestinationRule',
    shows: 'requests of one session stay with one endpoint, by a cookie that is given',
    given: rule('{ loadBalancer: { consistentHash: { httpCookie: { name: user, ttl: 10s } } } }'),
    promises: [
      { ...CLUSTER, has: { lbPolicy: 'RING_HASH' } },
      { ...SIDECAR_ROUTES, has: { hashPolicy: [{ cookie: { name: 'user', ttl: '10s' } }] } },
    ],
  },
  {
    kind: 'DestinationRule',
    shows: 'a port may have a policy of its own',
    given: rule(
      '{ loadBalancer: { simple: LEAST_REQUEST }, portLevelSettings: [{ port: { number: 80 }, loadBalancer: { simple: RANDOM } }] }',
    ),
    promises: [{ ...CLUSTER, has: { lbPolicy: 'RANDOM' } }],
  },
  {
    kind: 'DestinationRule',
    shows: 'TLS is begun to a host outside, by its name',
    given: `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { namespace: side, name: api, uid: api-rule }
spec: { host: api.test, trafficPolicy: { tls: { mode: SIMPLE, sni: api.test } } }`,
    promises: [
      {
        ...sidecarCluster('outbound|80||api.test'),
        has: {
          transportSocket: {
            name: 'envoy.transport_sockets.tls',
            typedConfig: { sni: 'api.test' },
          },
        },
      },
    ],
  },
  {
    kind: 'DestinationRule',
    shows: 'mutual TLS is begun with certificates of files',
    given: `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { namespace: side, name: api, uid: api-rule }
spec:
  host: api.test
  trafficPolicy:
    tls: { mode: MUTUAL, clientCertificate: /etc/tls/client.pem, privateKey: /etc/tls/key.pem, caCertificates: /etc/tls/roots.pem }`,
    promises: [
      {
        ...sidecarCluster('outbound|80||api.test'),
        has: { name: 'file-cert:/etc/tls/client.pem~/etc/tls/key.pem' },
      },
      { ...sidecarCluster('outbound|80||api.test'), has: { name: 'file-root:/etc/tls/roots.pem' } },
    ],
  },
  {
    kind: 'DestinationRule',
    shows: 'a rule that is not exported holds in its own namespace only',
    given: `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { namespace: shop, name: hidden, uid: hidden }
spec: { host: ${CART}, exportTo: ["."], trafficPolicy: { loadBalancer: { simple: RANDOM } } }`,
    promises: [{ ...sidecarCluster(`outbound|80||${CART}`), hasNo: { lbPolicy: 'RANDOM' } }],
  },
  {
    kind: 'DestinationRule',
    shows: 'at a waypoint limits hold for all who call the service',
    given: `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { namespace: shop, name: cart, uid: cart-rule }
spec: { host: cart, trafficPolicy: { connectionPool: { tcp: { maxConnections: 9 } } } }`,
    promises: [
      {
        to: 'waypoint',
        type: 'Cluster',
        name: `inbound-vip|80|http|${CART}`,
        has: { maxConnections: 9 },
      },
    ],
  },
];
