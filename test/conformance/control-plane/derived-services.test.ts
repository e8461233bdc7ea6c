import { describe, expect, test } from 'vitest';
import { namespaceObject } from '../../fixtures/control-plane.ts';
import { deriveMesh } from '../../fixtures/derived-mesh.ts';
import type { ApiObject } from '../../fixtures/scripted-kubernetes-api.ts';
import { gatewayObject } from '../../fixtures/waypoint-process.ts';

/** What node proxies are told of Services, and what their statuses say. */
interface Given {
  readonly name?: string;
  readonly spec?: object;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** `shop/cart` at 10.96.0.10 with port 80 of HTTP, unless said otherwise. */
function service({
  name = 'cart',
  spec = {},
  labels = {},
  annotations = {},
}: Given = {}): ApiObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace: 'shop', name, uid: name, labels, annotations },
    spec: {
      clusterIP: '10.96.0.10',
      ports: [{ name: 'http', port: 80, targetPort: 8080 }],
      ...spec,
    },
  };
}

function annotatedNamespace(annotations: object, labels: Record<string, string> = {}): ApiObject {
  const namespace = namespaceObject('shop', labels);
  return { ...namespace, metadata: { ...namespace.metadata, annotations } };
}

const derived = (given: Given, ...others: ApiObject[]) =>
  deriveMesh([service(given), ...others]).service('shop/cart');

test('a Service has its name, its address on the network, and the protocol of its port (P034)', () => {
  const system = namespaceObject('istio-system', { 'topology.istio.io/network': 'nw' });
  expect(derived({}, system)).toMatchObject({
    hostname: 'cart.shop.svc.cluster.local',
    addresses: [{ network: 'nw', address: '10.96.0.10', prefixLength: null }],
    ports: [{ servicePort: 80, targetPort: 8080, appProtocol: 'http11' }],
    canonical: true,
  });
});

test('a name for a host elsewhere is no Service (P035)', () => {
  expect(derived({ spec: { type: 'ExternalName', externalName: 'a.test' } })).toBeNull();
});

test('a target that is a name is left to each pod (P036)', () => {
  const ports = [
    { name: 'a', port: 80, targetPort: 81 },
    { name: 'b', port: 8080, targetPort: 'something' },
  ];
  const targets = derived({ spec: { ports } })?.ports.map(({ targetPort }) => targetPort);
  expect(targets).toEqual([81, 0]);
});

test.for([
  ['a headless Service (P037)', { clusterIP: 'None' }, {}],
  ['a Service whose addresses are empty (P065)', { clusterIP: '' }, { ingress: [{ ip: '' }] }],
])('%s has no address', ([, spec, loadBalancer]) => {
  const made = { ...service({ spec: spec as object }), status: { loadBalancer } };
  expect(deriveMesh([made]).service('shop/cart')?.addresses).toEqual([]);
});

const NEAR = ['network', 'region', 'zone'];

describe('traffic', () => {
  test.for([
    ['PreferClose', NEAR],
    ['PreferSameZone', NEAR],
  ])('that is to stay close (%s) prefers %o (P038)', ([trafficDistribution, scopes]) => {
    expect(derived({ spec: { trafficDistribution } })?.loadBalancing).toMatchObject({
      mode: 'failover',
      routingPreference: scopes,
    });
  });

  test('that is to stay on its node prefers even that (P039)', () => {
    const spec = { trafficDistribution: 'PreferSameNode' };
    expect(derived({ spec })?.loadBalancing).toMatchObject({
      mode: 'failover',
      routingPreference: [...NEAR, 'subzone', 'node'],
    });
  });

  test('may go to pods that are not ready where the Service says so (P040), of this Service only (P041)', () => {
    const trafficDistribution = 'PreferSameZone';
    const mesh = deriveMesh([
      service({ spec: { trafficDistribution, publishNotReadyAddresses: true } }),
      service({ name: 'other', spec: { trafficDistribution } }),
    ]);
    expect(mesh.service('shop/cart')?.loadBalancing?.healthPolicy).toBe('allow-all');
    expect(mesh.service('shop/other')?.loadBalancing?.healthPolicy).toBe('only-healthy');
  });

  test('is kept as the namespace says, unless the Service says otherwise (P042)', () => {
    const annotation = 'networking.istio.io/traffic-distribution';
    const namespace = annotatedNamespace({ [annotation]: 'PreferClose' });
    const scopes = (given: Given) => derived(given, namespace)?.loadBalancing?.routingPreference;
    expect(scopes({})).toEqual(NEAR);
    expect(scopes({ annotations: { [annotation]: 'PreferSameNode' } })).toEqual([
      ...NEAR,
      'subzone',
      'node',
    ]);
  });
});

/** A waypoint in another namespace that lets in what the selector names. */
function farWaypoint(team: string): ApiObject {
  const gateway = gatewayObject('service');
  const allowedRoutes = {
    namespaces: { from: 'Selector', selector: { matchLabels: { team } } },
  };
  return {
    ...gateway,
    metadata: { ...gateway.metadata, namespace: 'gate' },
    spec: {
      gatewayClassName: 'istio-waypoint',
      listeners: [{ name: 'mesh', port: 15008, protocol: 'HBONE', allowedRoutes }],
    },
  };
}

describe('a waypoint of another namespace', () => {
  const labels = {
    'istio.io/use-waypoint': 'waypoint',
    'istio.io/use-waypoint-namespace': 'gate',
  };
  const namespace = namespaceObject('shop', { team: 'blue' });

  test('is used if it lets this one in (P043)', () => {
    const mesh = deriveMesh([namespace, farWaypoint('blue'), service({ labels })]);
    expect(mesh.service('shop/cart')?.waypoint).not.toBeNull();
  });

  test('is not if it does not, which the status says (P044)', () => {
    const mesh = deriveMesh([namespace, farWaypoint('red'), service({ labels })]);
    expect(mesh.service('shop/cart')?.waypoint).toBeNull();
    expect(mesh.serviceCondition('shop/cart')).toMatchObject({
      status: 'False',
      reason: 'AttachmentDenied',
    });
  });
});

const BOUND = { 'istio.io/use-waypoint': 'waypoint' };

describe('a Service with a waypoint', () => {
  const said = (ingress: string | null) => {
    const labels = {
      ...BOUND,
      ...(ingress !== null && { 'istio.io/ingress-use-waypoint': ingress }),
    };
    const mesh = deriveMesh([gatewayObject('service'), service({ labels })]);
    return {
      used: mesh.service('shop/cart')?.ingressUseWaypoint,
      condition: mesh.serviceCondition('shop/cart'),
    };
  };

  test('says so (P066)', () => {
    expect(said(null).condition).toEqual({
      status: 'True',
      reason: 'WaypointAccepted',
      message: 'Successfully attached to waypoint shop/waypoint',
    });
  });

  test.for([
    ['true', true, 'Ingress traffic will traverse the waypoint'],
    ['false', false, 'Ingress traffic is not using the waypoint, set'],
    ['eurt', false, 'Ingress traffic is not using the waypoint, set'],
  ] as const)(
    'has what comes from outside go there too if it says %s: %s (P045), and says that (P067)',
    ([ingress, used, words]) => {
      const { used: found, condition } = said(ingress);
      expect(found).toBe(used);
      expect(condition?.message).toContain(`shop/waypoint. ${words}`);
    },
  );
});

/** A second waypoint, at 10.96.0.61. */
function canaryGateway(namespace = 'shop'): ApiObject {
  const gateway = gatewayObject('service');
  return {
    ...gateway,
    metadata: { ...gateway.metadata, namespace, name: 'canary', uid: 'canary' },
    status: { addresses: [{ type: 'IPAddress', value: '10.96.0.61' }] },
  };
}

describe('a waypoint that is being tried out', () => {
  const CANARY = { ...BOUND, 'istio.io/use-waypoint-canary': 'canary' };
  const WEIGHT = 'istio.io/use-waypoint-canary-weight';

  /** Addresses and weights of the waypoints, empty if there is only one. */
  function weights(given: Given, ...others: ApiObject[]): string[] {
    const found = derived(given, gatewayObject('service'), canaryGateway(), ...others);
    expect(found?.waypoint?.destination).toMatchObject({ address: '10.96.0.60' });
    return (found?.weightedWaypoints ?? []).map(({ destination: { destination }, weight }) =>
      destination.kind === 'address' ? `${destination.address} ${weight}` : '',
    );
  }

  test('gets its share (P046)', () => {
    expect(weights({ labels: CANARY, annotations: { [WEIGHT]: '5' } })).toEqual([
      '10.96.0.60 95',
      '10.96.0.61 5',
    ]);
  });

  test.for([
    ['is no number (P047)', 'not-a-number', []],
    ['is missing (P049)', null, ['10.96.0.60 100', '10.96.0.61 0']],
    ['is 0 (P049)', '0', ['10.96.0.60 100', '10.96.0.61 0']],
    ['is 42 (P049)', '42', ['10.96.0.60 58', '10.96.0.61 42']],
    ['is 100 (P049)', '100', ['10.96.0.60 0', '10.96.0.61 100']],
    ['is abc (P049)', 'abc', []],
    ['is negative (P049)', '-1', []],
    ['is above 100 (P049)', '101', []],
  ] as const)('has a share that %s', ([, weight, expected]) => {
    const annotations = weight === null ? {} : { [WEIGHT]: weight };
    expect(weights({ labels: CANARY, annotations })).toEqual(expected);
  });

  test('has the share that the namespace says, or the Service (P049)', () => {
    const namespace = annotatedNamespace({ [WEIGHT]: '30' }, CANARY);
    expect(weights({}, namespace)).toEqual(['10.96.0.60 70', '10.96.0.61 30']);
    expect(weights({ annotations: { [WEIGHT]: '42' } }, namespace)).toEqual([
      '10.96.0.60 58',
      '10.96.0.61 42',
    ]);
  });

  test('that is not there gets none (P048)', () => {
    const labels = { ...BOUND, 'istio.io/use-waypoint-canary': 'elsewhere' };
    expect(weights({ labels, annotations: { [WEIGHT]: '5' } })).toEqual([]);
  });

  test('is named by the Service, or by the namespace, or of another one, or not at all (P072)', () => {
    const annotations = { [WEIGHT]: '5' };
    const share = ['10.96.0.60 95', '10.96.0.61 5'];
    const named = (canary: string, more: Record<string, string> = {}) => ({
      labels: { ...BOUND, 'istio.io/use-waypoint-canary': canary, ...more },
      annotations,
    });
    expect(weights(named('canary'))).toEqual(share);
    expect(weights(named(''))).toEqual([]);
    expect(weights(named('none'))).toEqual([]);
    const inherited = annotatedNamespace(annotations, CANARY);
    expect(weights({}, inherited)).toEqual(share);
    // A Service that names its own waypoint has its own canary, too.
    expect(weights({ labels: BOUND }, inherited)).toEqual([]);
    const far = canaryGateway('gate');
    const open = {
      ...far,
      spec: {
        gatewayClassName: 'istio-waypoint',
        listeners: [
          {
            ...{ name: 'mesh', port: 15008, protocol: 'HBONE' },
            allowedRoutes: { namespaces: { from: 'All' } },
          },
        ],
      },
      status: { addresses: [{ type: 'IPAddress', value: '10.96.0.62' }] },
    };
    const elsewhere = named('canary', { 'istio.io/use-waypoint-canary-namespace': 'gate' });
    expect(weights(elsewhere, open)).toEqual(['10.96.0.60 95', '10.96.0.62 5']);
  });
});
