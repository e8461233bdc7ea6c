import { describe, expect, test } from 'vitest';
import { namespaceObject, podObject } from '../../fixtures/control-plane.ts';
import { type DerivedMesh, deriveMesh } from '../../fixtures/derived-mesh.ts';
import type { ApiObject } from '../../fixtures/scripted-kubernetes-api.ts';
import {
  GATEWAY_CLASS,
  gatewayObject,
  policyObject,
  serviceObject,
} from '../../fixtures/waypoint-process.ts';

/** Which waypoint a Service or a pod has. */
const LABEL = { 'istio.io/use-waypoint': 'waypoint' };
const SERVICE = serviceObject([{ name: 'http', port: 80, targetPort: 8080 }], LABEL);
const POD = podObject('shop', 'web', { labels: LABEL });

/** Addresses of the waypoints of the Service and of the pod. */
function waypointsIn(mesh: DerivedMesh): readonly (string | null)[] {
  return [mesh.service('shop/cart'), mesh.pod('shop/web')].map((found) => {
    const destination = found?.waypoint?.destination;
    if (destination === undefined) return null;
    return destination.kind === 'address' ? destination.address : destination.hostname;
  });
}

const ADDRESS = '10.96.0.60';

test.for([
  ['service', [ADDRESS, null]],
  ['workload', [null, ADDRESS]],
  ['all', [ADDRESS, ADDRESS]],
  ['none', [null, null]],
] as const)('a waypoint for %s is that of Service and pod: %o (P068)', ([traffic, expected]) => {
  const mesh = deriveMesh([namespaceObject('shop'), gatewayObject(traffic), SERVICE, POD]);
  expect(waypointsIn(mesh)).toEqual(expected);
});

test('a waypoint is used once its Gateway has an address (P069), and no longer than it is there (P077)', () => {
  const gateway = gatewayObject('all');
  const waiting = { ...gateway, status: {} };
  const steps = [[waiting], [gateway], [], [gateway]].map((gateways) =>
    waypointsIn(deriveMesh([...gateways, SERVICE, POD])),
  );
  const [used, unused] = [
    [ADDRESS, ADDRESS],
    [null, null],
  ];
  expect(steps).toEqual([unused, used, unused, used]);
});

test('an address that becomes a hostname is that from then on (P073)', () => {
  const gateway = {
    ...gatewayObject('all'),
    status: { addresses: [{ type: 'Hostname', value: 'waypoint.shop.svc.cluster.local' }] },
  };
  const hostname = 'waypoint.shop.svc.cluster.local';
  expect(waypointsIn(deriveMesh([gateway, SERVICE, POD]))).toEqual([hostname, hostname]);
});

test('a label that names no waypoint leaves a Service without one, and says so (P076)', () => {
  const bogus = serviceObject([], { 'istio.io/use-waypoint': 'bogus' });
  const mesh = deriveMesh([gatewayObject('all'), bogus]);
  expect(mesh.service('shop/cart')).toMatchObject({ waypoint: null });
  expect(mesh.serviceCondition('shop/cart')).toMatchObject({
    status: 'False',
    reason: 'WaypointIsNotReady',
  });
});

test('pods of a waypoint take tunnels in the way that its class says (P070)', () => {
  const annotations = { 'ambient.istio.io/waypoint-inbound-binding': 'PROXY/15088' };
  const name = 'sandwiched';
  const labels = { 'gateway.networking.k8s.io/gateway-name': 'waypoint' };
  const gateway = gatewayObject('service');
  const mesh = deriveMesh([
    { ...GATEWAY_CLASS, metadata: { ...GATEWAY_CLASS.metadata, name, annotations } },
    { ...gateway, spec: { ...(gateway.spec as object), gatewayClassName: name } },
    podObject('shop', 'web', { labels }),
  ]);
  expect(mesh.pod('shop/web')?.applicationTunnel).toEqual({ protocol: 'proxy', port: 15_088 });
});

describe('who may use a waypoint of another namespace', () => {
  const HBONE = { name: 'mesh', port: 15_008, protocol: 'HBONE' };
  const PROXY = { name: 'proxy', port: 15_088, protocol: 'istio.io/PROXY' };
  const from = (listener: object, namespaces: object) => ({
    ...listener,
    allowedRoutes: { namespaces },
  });
  const toBlue = { from: 'Selector', selector: { matchLabels: { team: 'blue' } } };

  test.for<
    [
      what: string,
      binding: string | null,
      listeners: readonly object[],
      blue: boolean,
      red: boolean,
    ]
  >([
    ['nobody, without a word of it', null, [HBONE], false, false],
    [
      'nobody, if that is said of another listener',
      null,
      [HBONE, from(PROXY, { from: 'All' })],
      false,
      false,
    ],
    ['everybody', null, [from(HBONE, { from: 'All' })], true, true],
    ['those that are selected', null, [from(HBONE, toBlue)], true, false],
    [
      'who may use the listener that its binding names',
      'PROXY/15088',
      [HBONE, from(PROXY, { from: 'All' })],
      true,
      true,
    ],
    [
      'who may use the listener of its protocol, for port 0',
      'PROXY/0',
      [HBONE, from(PROXY, toBlue)],
      true,
      false,
    ],
  ])('%s (P071)', ([, binding, listeners, ...expected]) => {
    const annotations =
      binding === null ? {} : { 'ambient.istio.io/waypoint-inbound-binding': binding };
    const gateway = gatewayObject('service', annotations);
    const found = ['blue', 'red'].map((team) => {
      const mesh = deriveMesh([
        namespaceObject('shop', { team }),
        {
          ...gateway,
          metadata: { ...gateway.metadata, namespace: 'gate' },
          spec: { gatewayClassName: 'istio-waypoint', listeners },
        },
        serviceObject([], { ...LABEL, 'istio.io/use-waypoint-namespace': 'gate' }),
      ]);
      return mesh.service('shop/cart')?.waypoint !== null;
    });
    expect(found).toEqual(expected);
  });
});

test('a waypoint that is being tried out has the routes and policies of the other (P167)', () => {
  const canary = {
    ...gatewayObject('service'),
    metadata: { namespace: 'shop', name: 'canary', uid: 'canary' },
    status: { addresses: [{ type: 'IPAddress', value: '10.96.0.61' }] },
  };
  const labels = { ...LABEL, 'istio.io/use-waypoint-canary': 'canary' };
  const { waypoints } = deriveMesh([
    gatewayObject('service'),
    canary,
    serviceObject([{ name: 'http', port: 80, targetPort: 8080 }], labels),
    policyObject({ action: 'DENY', rules: [{}] }),
  ]);
  const [primary, second] = ['shop/waypoint', 'shop/canary'].map((key) =>
    waypoints.get(key)?.listeners.get('main_internal'),
  );
  expect(Buffer.from(primary!.bytes).toString('latin1')).toContain('ns[shop]-policy[policy]');
  expect(second?.bytes).toEqual(primary?.bytes);
});

test('a policy of the root namespace on the class is at the waypoints of all namespaces (L136)', () => {
  const [near, far] = ['shop', 'gate'].map((namespace): ApiObject => {
    const gateway = gatewayObject('service');
    return { ...gateway, metadata: { ...gateway.metadata, namespace } };
  });
  const policy = policyObject({
    targetRefs: [
      { group: 'gateway.networking.k8s.io', kind: 'GatewayClass', name: 'istio-waypoint' },
    ],
    ...{ action: 'DENY', rules: [{}] },
  });
  const metadata = { ...policy.metadata, namespace: 'istio-system' };
  const { waypoints } = deriveMesh([near!, far!, { ...policy, metadata }]);
  for (const key of ['shop/waypoint', 'gate/waypoint']) {
    const main = waypoints.get(key)?.listeners.get('main_internal');
    expect(Buffer.from(main!.bytes).toString('latin1')).toContain(
      'ns[istio-system]-policy[policy]',
    );
  }
});

test('only ports whose protocol is not known, or not the same everywhere, are listened to (P119)', () => {
  const port = (name: string, number: number) => ({ name, port: number, targetPort: 8080 });
  const service = (name: string, ports: readonly object[]): ApiObject => ({
    ...SERVICE,
    metadata: { namespace: 'shop', name, uid: name, labels: LABEL },
    spec: { clusterIP: `10.96.1.${ports.length}`, ports },
  });
  const { waypoints } = deriveMesh([
    gatewayObject('service'),
    service('a', [port('http', 80), port('http-b', 81), port('tcp', 91), port('x', 90)]),
    service('b', [port('tcp', 80)]),
  ]);
  const main = waypoints.get('shop/waypoint')!.listeners.get('main_internal')!.value;
  const inspector = main.listenerFilters.find(({ name }) => name.endsWith('http_inspector'));
  const rule = inspector?.filterDisabled?.rule;
  const ports = rule?.case === 'orMatch' ? rule.value.rules : [];
  expect(ports.map((each) => each.rule)).toMatchObject([
    { value: { start: 81, end: 82 } },
    { value: { start: 91, end: 92 } },
  ]);
});
