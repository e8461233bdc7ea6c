/** Test fixture: a Gateway of class `istio` with what is attached to it, and what its proxy is served. */
import { parseProxy } from '../../push/proxy.ts';
import { proxyNodeOf } from '../../push/proxy-node.ts';
import { type ServedProxy, ServedResources } from '../../push/served-resources.ts';
import type { TestCluster, TestObject } from '../derivation.fixture.ts';

const GROUP = 'gateway.networking.k8s.io';

export function object(
  kind: string,
  key: string,
  spec: object,
  rest: {
    readonly labels?: Readonly<Record<string, string>>;
    readonly [field: string]: unknown;
  } = {},
): TestObject {
  const [namespace = '', name = ''] = key.split('/');
  const { labels, createdAt = '2026-01-01T00:00:00Z', ...other } = rest;
  return {
    kind,
    ...(['Gateway', 'ListenerSet', 'HTTPRoute', 'TCPRoute', 'TLSRoute'].includes(kind) && {
      apiVersion: `${GROUP}/v1`,
    }),
    metadata: {
      name,
      ...(namespace !== '' && { namespace }),
      creationTimestamp: createdAt,
      generation: 1,
      ...(labels !== undefined && { labels }),
    },
    spec,
    ...other,
  } as TestObject;
}

/** The class, a gateway's pod behind its Service, and a Service `shop/cart` behind it all. */
export function base(ports: readonly number[] = [80]): TestObject[] {
  const labels = { 'gateway.networking.k8s.io/gateway-name': 'front' };
  return [
    object('GatewayClass', '/istio', { controllerName: 'istio.io/gateway-controller' }),
    object('GatewayClass', '/istio-waypoint', { controllerName: 'istio.io/mesh-controller' }),
    object('Namespace', '/edge', {}),
    object('Namespace', '/shop', {}, { labels: { team: 'shop' } }),
    object('Service', 'edge/front-istio', {
      selector: labels,
      clusterIP: '10.96.0.7',
      ports: ports.map((port) => ({ name: `p${port}`, port, targetPort: port })),
    }),
    object(
      'Pod',
      'edge/front-istio-0',
      { nodeName: 'n1', containers: [] },
      {
        labels,
        status: {
          phase: 'Running',
          podIP: '10.1.0.7',
          podIPs: [{ ip: '10.1.0.7' }],
          conditions: [{ type: 'Ready', status: 'True' }],
        },
      },
    ),
    object('Service', 'shop/cart', {
      clusterIP: '10.96.0.10',
      ports: [
        { name: 'http', port: 80 },
        { name: 'tls', port: 443 },
        { name: 'tcp-raw', port: 9000 },
      ],
    }),
  ];
}

export function gateway(listeners: readonly object[], spec: object = {}): TestObject {
  return object('Gateway', 'edge/front', { gatewayClassName: 'istio', listeners, ...spec });
}

export const FROM_ALL: object = { allowedRoutes: { namespaces: { from: 'All' } } };

/** Of the Gateway above. */
export const FRONT: object = { group: GROUP, kind: 'Gateway', name: 'front', namespace: 'edge' };

const NODE = 'router~10.1.0.7~front-istio-0.edge~edge.svc.cluster.local';

const following = new WeakMap<TestCluster, ServedResources>();

/** What is served to the gateway's pod after the last round; to be asked for after each of them, or only once. */
export function servedToFront(cluster: TestCluster): ServedProxy {
  const known = following.get(cluster);
  const served = known ?? new ServedResources();
  if (known === undefined) {
    const parsed = parseProxy(NODE, {});
    if (!parsed.ok) throw new Error(parsed.error);
    cluster.derivation.proxies.set(NODE, proxyNodeOf(parsed.value)!);
    cluster.derivation.settle();
    following.set(cluster, served);
  }
  served.follow(cluster.derivation);
  return served.proxy(NODE)!;
}
