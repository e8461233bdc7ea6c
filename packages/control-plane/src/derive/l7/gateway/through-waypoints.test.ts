import { ClusterLoadAssignmentSchema } from '@aquifer/wire/gen/envoy/config/endpoint/v3_pb';
import { fromBinary, toJson } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { messageRegistry } from '../../../../../../test/fixtures/message-registry.ts';
import { TestCluster } from '../../derivation.fixture.ts';
import {
  base,
  FROM_ALL,
  gateway,
  object,
  servedToFront,
} from '../../gateway-api/gateway-api.fixture.ts';

const registry = await messageRegistry();

const LABELS = { 'gateway.networking.k8s.io/gateway-name': 'way' };

function instance(name: string, ip: string) {
  return object(
    'Pod',
    `shop/${name}`,
    { nodeName: 'n1', containers: [] },
    {
      labels: LABELS,
      status: {
        phase: 'Running',
        podIP: ip,
        podIPs: [{ ip }],
        conditions: [{ type: 'Ready', status: 'True' }],
      },
    },
  );
}

function bankBehindWaypoint(): TestCluster {
  return new TestCluster([
    ...base(),
    gateway([{ name: 'web', port: 80, protocol: 'HTTP', ...FROM_ALL }]),
    object(
      'Gateway',
      'shop/way',
      {
        gatewayClassName: 'istio-waypoint',
        listeners: [{ name: 'mesh', port: 15_008, protocol: 'HBONE' }],
      },
      {
        labels: { 'istio.io/waypoint-for': 'all' },
        status: { addresses: [{ type: 'Hostname', value: 'way.shop.svc.cluster.local' }] },
      },
    ),
    object('Service', 'shop/way', {
      selector: LABELS,
      clusterIP: '10.96.0.20',
      ports: [{ name: 'mesh', port: 15_008 }],
    }),
    instance('way-0', '3.0.0.1'),
    object(
      'ServiceEntry',
      'shop/bank',
      {
        hosts: ['bank.test'],
        addresses: ['1.2.3.4'],
        ports: [{ number: 80, name: 'http', protocol: 'HTTP' }],
        resolution: 'STATIC',
        endpoints: [{ address: '9.9.9.9' }],
      },
      { labels: { 'istio.io/use-waypoint': 'way', 'istio.io/ingress-use-waypoint': 'true' } },
    ),
  ]);
}

function endpointsOfBank(cluster: TestCluster): string {
  const { bytes } = servedToFront(cluster).endpoints.get('outbound|80||bank.test')!;
  const message = fromBinary(ClusterLoadAssignmentSchema, bytes);
  return JSON.stringify(toJson(ClusterLoadAssignmentSchema, message, { registry }));
}

test('a gateway sends to the waypoint of a ServiceEntry that asks for it (P124)', () => {
  const text = endpointsOfBank(bankBehindWaypoint());
  expect(text).toContain('"connect_originate"');
  expect(text).toContain('"endpointId":"3.0.0.1:15008"');
  expect(text).toContain('"1.2.3.4:80"');
  expect(text).not.toContain('9.9.9.9');
});

test('a gateway hears of pods of the waypoint that come and go (P074)', () => {
  const cluster = bankBehindWaypoint();
  const another = instance('way-1', '3.0.0.2');
  cluster.put(another);
  expect(endpointsOfBank(cluster)).toContain('"endpointId":"3.0.0.2:15008"');
  cluster.toggle(another);
  expect(endpointsOfBank(cluster)).not.toContain('3.0.0.2');
});
