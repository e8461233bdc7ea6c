import {
  CART,
  type Example,
  GATEWAY_ROUTES,
  SIDECAR_ROUTES,
  STOCK,
  sidecarCluster,
} from './example.ts';

function sidecar(spec: string): string {
  return `
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { namespace: side, name: default, uid: scope }
spec: ${spec}`;
}

function gateway(servers: string): string {
  return `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { namespace: edge, name: example, uid: example }
spec:
  selector: { app: entry }
  servers: ${servers}`;
}

export const SCOPES: readonly Example[] = [
  {
    kind: 'Sidecar',
    shows: 'a namespace hears of its own services, and of those of one other namespace',
    given: sidecar('{ egress: [{ hosts: ["./*", "istio-system/*"] }] }'),
    promises: [
      { ...sidecarCluster(`outbound|80||${STOCK}`), has: { type: 'EDS' } },
      { ...sidecarCluster(`outbound|80||${CART}`), is: 'absent' },
    ],
  },
  {
    kind: 'Sidecar',
    shows: 'hosts that nobody knows are not called',
    given: sidecar('{ outboundTrafficPolicy: { mode: REGISTRY_ONLY } }'),
    promises: [
      {
        to: 'sidecar',
        type: 'Listener',
        name: 'virtualOutbound',
        has: { cluster: 'BlackHoleCluster' },
      },
      { ...SIDECAR_ROUTES, hasNo: { cluster: 'PassthroughCluster' } },
    ],
  },
  {
    kind: 'Sidecar',
    shows: 'requests to one port of the pod are led to another port inside',
    given: sidecar(`
  workloadSelector: { labels: { app: caller } }
  ingress:
    - port: { number: 9080, protocol: HTTP, name: web }
      defaultEndpoint: 127.0.0.1:8080
  egress: [{ hosts: ["*/*"] }]`),
    promises: [
      { ...sidecarCluster('inbound|9080||'), has: { address: '127.0.0.1', portValue: 8080 } },
    ],
  },
  {
    kind: 'Sidecar',
    shows: 'a database is called at an address and port inside of the pod',
    given: `${sidecar(`
  egress:
    - port: { number: 3306, protocol: MYSQL, name: egressmysql }
      captureMode: NONE
      bind: 127.0.0.1
      hosts: ["*/mysql.test"]
    - hosts: ["./*"]`)}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { namespace: side, name: mysql, uid: mysql }
spec:
  hosts: [mysql.test]
  location: MESH_EXTERNAL
  ports: [{ number: 3306, name: mysql, protocol: MYSQL }]
  resolution: DNS`,
    promises: [
      {
        to: 'sidecar',
        type: 'Listener',
        name: '127.0.0.1_3306',
        has: { cluster: 'outbound|3306||mysql.test' },
      },
      { ...sidecarCluster(`outbound|80||${CART}`), is: 'absent' },
    ],
  },
  {
    kind: 'Gateway of Istio',
    shows: 'plaintext is led to HTTPS, and the certificate is that of a Secret',
    given: gateway(`
    - port: { number: 8081, name: http-plain, protocol: HTTP }
      hosts: [shop.test]
      tls: { httpsRedirect: true }
    - port: { number: 8443, name: https, protocol: HTTPS }
      hosts: [shop.test]
      tls: { mode: SIMPLE, credentialName: shop-cert }`),
    promises: [
      {
        to: 'gateway',
        type: 'RouteConfiguration',
        name: 'http.8081',
        has: { domains: ['shop.test'], requireTls: 'ALL' },
      },
      {
        to: 'gateway',
        type: 'Listener',
        name: '0.0.0.0_8443',
        has: {
          filterChainMatch: { serverNames: ['shop.test'] },
          transportSocket: { name: 'envoy.transport_sockets.tls' },
        },
      },
      {
        to: 'gateway',
        type: 'Listener',
        name: '0.0.0.0_8443',
        has: { name: 'kubernetes://shop-cert' },
      },
    ],
  },
  {
    kind: 'Gateway of Istio',
    shows: 'clients must have a certificate, too',
    given: gateway(`
    - port: { number: 8443, name: https, protocol: HTTPS }
      hosts: [shop.test]
      tls: { mode: MUTUAL, credentialName: shop-cert }`),
    promises: [
      {
        to: 'gateway',
        type: 'Listener',
        name: '0.0.0.0_8443',
        has: { requireClientCertificate: true },
      },
      {
        to: 'gateway',
        type: 'Listener',
        name: '0.0.0.0_8443',
        has: { name: 'kubernetes://shop-cert-cacert' },
      },
    ],
  },
  {
    kind: 'Gateway of Istio',
    shows: 'TLS is led on as it is, by the name that clients ask for',
    given: `${gateway(`
    - port: { number: 8443, name: tls, protocol: TLS }
      hosts: [secret.test]
      tls: { mode: PASSTHROUGH }`)}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { namespace: edge, name: secret, uid: secret }
spec:
  hosts: [secret.test]
  gateways: [example]
  tls:
    - match: [{ sniHosts: [secret.test] }]
      route: [{ destination: { host: ${STOCK}, port: { number: 80 } } }]`,
    promises: [
      {
        to: 'gateway',
        type: 'Listener',
        name: '0.0.0.0_8443',
        has: { filterChainMatch: { serverNames: ['secret.test'] } },
      },
      {
        to: 'gateway',
        type: 'Listener',
        name: '0.0.0.0_8443',
        has: { cluster: `outbound|80||${STOCK}` },
      },
    ],
  },
  {
    kind: 'Gateway of Istio',
    shows: 'VirtualServices of one namespace only may use a server',
    given: `${gateway(`
    - port: { number: 8082, name: http, protocol: HTTP }
      hosts: [edge/only.test]`)}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { namespace: side, name: stranger, uid: stranger }
spec:
  hosts: [only.test]
  gateways: [edge/example]
  http: [{ route: [{ destination: { host: stock } }] }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { namespace: edge, name: own, uid: own }
spec:
  hosts: [only.test]
  gateways: [example]
  http: [{ timeout: 2s, route: [{ destination: { host: ${STOCK} } }] }]`,
    promises: [
      {
        to: 'gateway',
        type: 'RouteConfiguration',
        name: 'http.8082',
        has: { domains: ['only.test'], routes: [{ route: { timeout: '2s' } }] },
      },
      {
        to: 'gateway',
        type: 'RouteConfiguration',
        name: 'http.8082',
        hasNo: { route: { cluster: `outbound|80||${STOCK}`, timeout: '0s' } },
      },
      { ...GATEWAY_ROUTES, hasNo: { domains: ['only.test'] } },
    ],
  },
];
