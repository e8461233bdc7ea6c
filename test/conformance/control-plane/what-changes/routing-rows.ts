/** Where traffic goes, and how. */
import type { TestObject } from '../../../../packages/control-plane/src/derive/derivation.fixture.ts';
import { objectOf } from './mesh.ts';
import {
  added,
  EGRESS,
  INGRESS,
  INTERNAL,
  NETWORKING,
  type Row,
  rowsOf,
  withLabels,
  withSpec,
} from './row.ts';

const GATEWAY_API = 'gateway.networking.k8s.io/v1';
const STOCK = 'stock.side.svc.cluster.local';
const CART = 'cart.shop.svc.cluster.local';
const TIMES_OUT = { timeout: '3s' };

const virtualService = (key: string, host: string): TestObject =>
  added(`${NETWORKING}/VirtualService`, key, {
    spec: { hosts: [host], http: [{ ...TIMES_OUT, route: [{ destination: { host } }] }] },
  });

const destinationRule = (key: string, host: string): TestObject =>
  added(`${NETWORKING}/DestinationRule`, key, {
    spec: { host, trafficPolicy: { connectionPool: { tcp: { maxConnections: 7 } } } },
  });

const route = (kind: 'HTTPRoute' | 'GRPCRoute', key: string, parent: object): TestObject =>
  added(`${GATEWAY_API}/${kind}`, key, {
    spec: { parentRefs: [{ group: '', kind: 'Service', ...parent }], rules: [{}] },
  });

const ENTRY_PARENT = { group: 'networking.istio.io', kind: 'ServiceEntry', name: 'partner' };
export const ROUTING_ROWS: readonly Row[] = [
  ...rowsOf(
    'HTTPRoute',
    [
      INGRESS,
      'routes of a service that a gateway leads to',
      route('HTTPRoute', 'side/stock', { name: 'stock' }),
      { sidecar: 'R' },
    ],
    [
      INTERNAL,
      'routes of a service behind a waypoint',
      route('HTTPRoute', 'shop/cart', { name: 'cart' }),
      { sidecar: 'R', waypoint: 'L' },
    ],
    [
      EGRESS,
      'routes of a host outside, called through a waypoint',
      route('HTTPRoute', 'shop/partner', ENTRY_PARENT),
      { sidecar: 'R', waypoint: 'L' },
    ],
  ),
  ...rowsOf(
    'GRPCRoute',
    [
      INGRESS,
      'routes of a service that a gateway leads to',
      route('GRPCRoute', 'side/stock', { name: 'stock' }),
      { sidecar: 'R' },
    ],
    [
      INTERNAL,
      'routes of a service behind a waypoint',
      route('GRPCRoute', 'shop/cart', { name: 'cart' }),
      { sidecar: 'R', waypoint: 'L' },
    ],
    [
      EGRESS,
      'routes of a host outside, called through a waypoint',
      route('GRPCRoute', 'shop/partner', ENTRY_PARENT),
      { sidecar: 'R', waypoint: 'L' },
    ],
  ),
  ...rowsOf(
    'VirtualService',
    [
      INGRESS,
      'a timeout of the routes of a gateway',
      withSpec(objectOf('VirtualService', 'edge', 'entry'), {
        http: [{ ...TIMES_OUT, route: [{ destination: { host: STOCK } }] }],
      }),
      { gateway: 'R' },
    ],
    [
      INTERNAL,
      'routes of a service between sidecars',
      virtualService('side/stock', STOCK),
      { sidecar: 'R' },
    ],
    [
      INTERNAL,
      'routes of a service behind a waypoint',
      virtualService('shop/cart', CART),
      { sidecar: 'R', waypoint: 'L' },
    ],
    [
      EGRESS,
      'routes of a host outside, called by sidecars',
      virtualService('side/api', 'api.test'),
      { sidecar: 'R' },
    ],
    [
      EGRESS,
      'routes of a host outside, called through a waypoint',
      virtualService('shop/partner', 'partner.test'),
      { sidecar: 'R', waypoint: 'L' },
    ],
  ),
  ...rowsOf(
    'DestinationRule',
    [
      INGRESS,
      'limits for a service behind a gateway, of the gateway’s namespace',
      destinationRule('edge/stock', STOCK),
      { gateway: 'C' },
    ],
    [
      INTERNAL,
      'limits for a service between sidecars',
      destinationRule('side/stock', STOCK),
      { gateway: 'C', sidecar: 'C' },
    ],
    [
      INTERNAL,
      'limits for a service behind a waypoint',
      destinationRule('shop/cart', CART),
      { gateway: 'C', sidecar: 'C', waypoint: 'C' },
    ],
    [
      EGRESS,
      'limits for a host outside, called by sidecars',
      destinationRule('side/api', 'api.test'),
      { gateway: 'C', sidecar: 'C' },
    ],
    [
      EGRESS,
      'limits for a host outside, called through a waypoint',
      destinationRule('shop/partner', 'partner.test'),
      { gateway: 'C', sidecar: 'C', waypoint: 'C' },
    ],
  ),
  ...rowsOf(
    'Sidecar',
    [
      INGRESS,
      'a namespace of gateways sees less',
      added(`${NETWORKING}/Sidecar`, 'edge/default', { spec: { egress: [{ hosts: ['./*'] }] } }),
      {},
    ],
    [
      INTERNAL,
      'a namespace sees its own services only',
      added(`${NETWORKING}/Sidecar`, 'side/default', { spec: { egress: [{ hosts: ['./*'] }] } }),
      { sidecar: 'LRCE' },
    ],
    [
      EGRESS,
      'a namespace calls nothing that it does not know',
      added(`${NETWORKING}/Sidecar`, 'side/default', {
        spec: { outboundTrafficPolicy: { mode: 'REGISTRY_ONLY' } },
      }),
      { sidecar: 'LR' },
    ],
  ),
  ...rowsOf(
    'IstioGateway',
    [
      INGRESS,
      'another port of a gateway',
      withSpec(objectOf('Gateway', 'edge', 'entry'), {
        servers: [
          { port: { number: 8080, name: 'http', protocol: 'HTTP' }, hosts: ['*'] },
          { port: { number: 8081, name: 'http-more', protocol: 'HTTP' }, hosts: ['*'] },
        ],
      }),
      { gateway: 'LR' },
    ],
    [
      INTERNAL,
      'a gateway that no pod is',
      added(`${NETWORKING}/Gateway`, 'side/nobody', {
        spec: {
          ...{ selector: { app: 'nobody' } },
          servers: [{ port: { number: 80, name: 'http', protocol: 'HTTP' }, hosts: ['*'] }],
        },
      }),
      {},
    ],
    [
      EGRESS,
      'a port of a gateway for a host outside',
      added(`${NETWORKING}/Gateway`, 'edge/exit', {
        spec: {
          ...{ selector: { app: 'entry' } },
          servers: [
            { port: { number: 8443, name: 'http-exit', protocol: 'HTTP' }, hosts: ['api.test'] },
          ],
        },
      }),
      { gateway: 'LR' },
    ],
  ),
  ...rowsOf(
    'Gateway',
    [
      INGRESS,
      'a gateway of a class that nobody runs',
      added(`${GATEWAY_API}/Gateway`, 'edge/other', {
        spec: {
          gatewayClassName: 'other',
          listeners: [{ name: 'http', port: 80, protocol: 'HTTP' }],
        },
      }),
      {},
    ],
    [
      INTERNAL,
      'a waypoint that is for workloads only',
      withLabels(objectOf('Gateway', 'shop', 'waypoint'), { 'istio.io/waypoint-for': 'workload' }),
      { waypoint: 'LCE', ztunnel: 'A' },
    ],
    [
      EGRESS,
      'a waypoint that has no address yet',
      { ...objectOf('Gateway', 'shop', 'waypoint'), status: {} },
      { waypoint: 'LCE', ztunnel: 'A' },
    ],
  ),
];
