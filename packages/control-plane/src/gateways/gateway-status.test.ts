import type { Gateway } from '@aquifer/model/resources';
import { expect, test } from 'vitest';
import { UNTRACKED } from '../collections/cell.ts';
import { SETTINGS, TestCluster } from '../derive/derivation.fixture.ts';
import { isManual } from '../derive/gateway-api/gateway-services.ts';
import { WAYPOINT_CONTROLLER } from '../derive/labels.ts';
import { deriveGatewayStatus } from './gateway-status.ts';

/** What the recordings 13 to 17 do not show: several listeners, address families and load balancers. */
const HOST = 'wp.shop.svc.cluster.local';
const SELECTOR = { app: 'wp' };

function derive(gateway: Gateway, objects: readonly object[]) {
  const { derivation } = new TestCluster(objects as { kind: string }[]);
  return deriveGatewayStatus(
    gateway,
    WAYPOINT_CONTROLLER,
    {
      cluster: derivation.cluster,
      mesh: derivation.mesh,
      gatewayApi: derivation.routing.gatewayApi,
      settings: SETTINGS,
    },
    UNTRACKED,
  );
}

function statusOf(ports: readonly number[], serviceSpec: object, status: object = {}) {
  const listeners = ports.map((port) => ({ name: `l${port}`, port, protocol: 'HBONE' }));
  const gateway = {
    metadata: { namespace: 'shop', name: 'wp' },
    spec: { gatewayClassName: 'istio-waypoint', listeners },
  } as unknown as Gateway;
  const metadata = { namespace: 'shop', name: 'wp', labels: SELECTOR };
  const service = {
    kind: 'Service',
    metadata,
    spec: { selector: SELECTOR, ...serviceSpec },
    status,
  };
  const pod = { kind: 'Pod', metadata, spec: {}, status: { podIP: '10.1.0.1' } };
  const { addresses, conditions } = derive(gateway, [service, pod]);
  const { status: state, reason, message } = conditions[1]!;
  return {
    addresses: addresses.map(({ type, value }) => `${type} ${value}`),
    state,
    reason,
    message,
  };
}

const PORTS = [{ port: 15008 }, { port: 80 }, { port: 81 }];

test('every listener is assigned, in the order of their text', () => {
  expect(statusOf([80, 15008, 81], { ports: PORTS, clusterIP: '10.96.0.1' })).toEqual({
    addresses: ['IPAddress 10.96.0.1', `Hostname ${HOST}`],
    state: 'True',
    reason: 'Programmed',
    message: `Resource programmed, assigned to service(s) ${HOST}:15008, ${HOST}:80, and ${HOST}:81`,
  });
});

test('a port that the Service lacks spares the others', () => {
  expect(statusOf([15008, 90], { ports: PORTS, clusterIP: '10.96.0.1' })).toEqual({
    addresses: ['IPAddress 10.96.0.1', `Hostname ${HOST}`],
    state: 'False',
    reason: 'AddressNotUsable',
    message: `Assigned to service(s) ${HOST}:15008, but failed to assign to all requested addresses: port 90 not found for hostname "${HOST}"`,
  });
});

test('a Service of both families gives both addresses', () => {
  const clusterIPs = ['fd00:96::1', '10.96.0.1'];
  expect(statusOf([15008], { ports: PORTS, clusterIPs }).addresses).toEqual([
    'IPAddress 10.96.0.1',
    'IPAddress fd00:96::1',
    `Hostname ${HOST}`,
  ]);
});

test('the addresses of a load balancer stand for the Service; while it has none the hostname waits', () => {
  const spec = { type: 'LoadBalancer', ports: PORTS, clusterIP: '10.96.0.1' };
  const ingress = [{ hostname: 'lb.example' }, { ip: '198.51.100.1' }];
  expect(statusOf([15008], spec, { loadBalancer: { ingress } }).addresses).toEqual([
    'IPAddress 198.51.100.1',
    'Hostname lb.example',
  ]);
  expect(statusOf([15008], spec)).toMatchObject({
    addresses: ['IPAddress 10.96.0.1'],
    reason: 'AddressNotAssigned',
    message: `Assigned to service(s) ${HOST}:15008, but failed to assign to all requested addresses: address pending for hostname "${HOST}"`,
  });
});

test('a Gateway whose address is a hostname is served by the Service of that name', () => {
  const gateway = {
    metadata: { namespace: 'shop', name: 'wp' },
    spec: {
      gatewayClassName: 'istio-waypoint',
      addresses: [{ type: 'Hostname', value: 'own' }],
      listeners: [{ name: 'mesh', port: 15008, protocol: 'HBONE' }],
    },
  } as unknown as Gateway;
  expect(isManual(gateway)).toBe(true);
  const programmed = (objects: object[]) => derive(gateway, objects).conditions[1]?.message;
  expect(programmed([])).toContain('hostname "own.shop.svc.cluster.local" not found');
  const service = { kind: 'Service', metadata: { namespace: 'shop', name: 'own' }, spec: {} };
  expect(programmed([service])).toContain('no instances found');
});

test('route kinds that the protocol does not have are reported', () => {
  const allowedRoutes = { kinds: [{ kind: 'HTTPRoute' }, { kind: 'TCPRoute' }] };
  const gateway = {
    metadata: { namespace: 'shop', name: 'wp' },
    spec: { listeners: [{ name: 'http', port: 80, protocol: 'HTTP', allowedRoutes }] },
  } as unknown as Gateway;
  const [listener] = derive(gateway, []).listeners;
  expect(listener?.supportedKinds.map(({ kind }) => kind)).toEqual(['HTTPRoute']);
  expect(listener?.conditions.at(-1)).toMatchObject({
    status: 'False',
    reason: 'InvalidRouteKinds',
  });
});
