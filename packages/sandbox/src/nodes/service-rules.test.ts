import { expect, test } from 'vitest';
import { servicePortRules } from './service-proxy.ts';
import { serviceRules } from './service-rules.ts';

test('a Service address is translated to one of its endpoints at random, and node ports too', () => {
  const rules = serviceRules({
    services: [
      {
        clusterIp: '10.96.0.7',
        protocol: 'tcp',
        port: 80,
        nodePort: 30_080,
        endpoints: [
          { address: '10.244.1.2', port: 8080 },
          { address: '10.244.2.2', port: 8080 },
        ],
      },
    ],
    podAddresses: ['10.244.1.2'],
  });
  expect(rules).toContain('10.96.0.7 . tcp . 80 : goto service-10.96.0.7-tcp-80');
  expect(rules).toContain('tcp . 30080 : goto service-10.96.0.7-tcp-80');
  expect(rules).toContain(
    'dnat to numgen random mod 2 map { 0 : 10.244.1.2 . 8080, 1 : 10.244.2.2 . 8080 }',
  );
  expect(rules).toContain('10.244.1.2 . 10.244.1.2');
});

test('a Service without endpoints is left to the rule that refuses', () => {
  const service = { clusterIp: '10.96.0.7', protocol: 'tcp', port: 80, nodePort: null } as const;
  const rules = serviceRules({ services: [{ ...service, endpoints: [] }], podAddresses: [] });
  expect(rules).not.toContain('10.96.0.7');
  expect(rules).toContain('reject with tcp reset');
});

test('the endpoints of a port are the ready ones of the slices of that Service, by port name', () => {
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'echo', namespace: 'shop' },
    spec: {
      clusterIP: '10.96.0.7',
      ports: [
        { name: 'http', port: 80 },
        { name: 'dns', port: 53, protocol: 'UDP' },
      ],
    },
  };
  const slice = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { namespace: 'shop', labels: { 'kubernetes.io/service-name': 'echo' } },
    addressType: 'IPv4',
    endpoints: [
      { addresses: ['10.244.1.2'], conditions: { ready: true } },
      { addresses: ['10.244.1.3'], conditions: { ready: false } },
    ],
    ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
  };
  const elsewhere = { ...slice, metadata: { ...slice.metadata, namespace: 'other' } };
  const common = { clusterIp: '10.96.0.7', nodePort: null };
  expect(servicePortRules([service], [slice, elsewhere])).toEqual([
    { ...common, protocol: 'tcp', port: 80, endpoints: [{ address: '10.244.1.2', port: 8080 }] },
    { ...common, protocol: 'udp', port: 53, endpoints: [] },
  ]);
});
