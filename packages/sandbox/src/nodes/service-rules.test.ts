import { expect, test } from 'vitest';
import { servicePortRules } from './service-proxy.ts';
import type { ServicePortRule, TableContent } from './service-rules.ts';
import { tableChange, tableContent } from './service-rules.ts';

const ECHO: ServicePortRule = {
  clusterIp: '10.96.0.7',
  balancerIps: ['10.97.0.1'],
  isSticky: false,
  protocol: 'tcp',
  port: 80,
  nodePort: 30_080,
  endpoints: [
    { address: '10.244.1.2', port: 8080 },
    { address: '10.244.2.2', port: 8080 },
  ],
};

function content(...services: ServicePortRule[]): TableContent {
  return tableContent({ services, podAddresses: ['10.244.1.2'] });
}

test('a Service address is translated to one of its endpoints at random, and node ports too', () => {
  const rules = tableChange(null, content(ECHO));
  expect(rules).toContain('10.96.0.7 . tcp . 80 : goto service-10.96.0.7-tcp-80');
  expect(rules).toContain('10.97.0.1 . tcp . 80 : goto service-10.96.0.7-tcp-80');
  expect(rules).toContain('tcp . 30080 : goto service-10.96.0.7-tcp-80');
  expect(rules).toContain('meta l4proto tcp numgen random mod 2 0 dnat to 10.244.1.2:8080');
  expect(rules).toContain('meta l4proto tcp dnat to 10.244.2.2:8080');
  expect(rules).toContain('10.244.1.2 . 10.244.1.2');
});

test('what is no address or port of IPv4 stands in no rule, and an address leads to one Service', () => {
  const service = (name: string, clusterIP: string) => ({
    metadata: { name, namespace: 'a' },
    spec: { clusterIP, ports: [{ port: 80 }] },
    status: { loadBalancer: { ingress: [{ ip: '10.96.0.8' }, { ip: '1.2.3.4 ; flush ruleset' }] } },
  });
  const slice = (name: string, addresses: readonly string[], port: number) => ({
    metadata: { name, namespace: 'a', labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    endpoints: addresses.map((address) => ({ addresses: [address] })),
    ports: [{ name: '', port }],
  });
  const services = [
    service('one', '10.96.0.7'),
    service('two', '10.96.0.8'),
    service('odd', '10.96.0.9 }\nflush ruleset'),
  ];
  const slices = [
    slice('one', ['10.244.1.2', '10.244.1.3\nadd table ip x', '::1'], 8080),
    slice('two', ['10.244.1.4'], 8080),
    slice('one', ['10.244.1.5'], 70_000),
  ];
  const rules = servicePortRules(services as never, slices as never);
  expect(rules.map(({ endpoints }) => endpoints)).toEqual([
    [{ address: '10.244.1.2', port: 8080 }],
    [{ address: '10.244.1.4', port: 8080 }],
  ]);
  const change = tableChange(null, tableContent({ services: rules, podAddresses: [] }));
  expect(change).not.toContain('flush ruleset');
  expect(change.match(/10\.96\.0\.8 \. tcp \. 80 :/g)).toHaveLength(1);
});

test('with session affinity the address of the client chooses', () => {
  const rules = tableChange(null, content({ ...ECHO, isSticky: true }));
  expect(rules).toContain('jhash ip saddr mod 2 seed 0x1 0 dnat to 10.244.1.2:8080');
  expect(rules).toContain('meta l4proto tcp dnat to 10.244.2.2:8080');
});

test('a Service without endpoints is left to the rule that refuses', () => {
  const rules = tableChange(null, content({ ...ECHO, endpoints: [] }));
  expect(rules).not.toContain('10.96.0.7');
  expect(rules).toContain('reject with tcp reset');
});

test('other endpoints change the rules of that Service and nothing else', () => {
  const after = { ...ECHO, endpoints: ECHO.endpoints.slice(1) };
  const other = { ...ECHO, clusterIp: '10.96.0.8', balancerIps: [], nodePort: null };
  expect(tableChange(content(ECHO, other), content(after, other))).toBe(
    `add chain ip aquifer service-10.96.0.7-tcp-80
flush chain ip aquifer service-10.96.0.7-tcp-80
add rule ip aquifer service-10.96.0.7-tcp-80 meta l4proto tcp dnat to 10.244.2.2:8080
`,
  );
  expect(tableChange(content(ECHO, other), content(ECHO, other))).toBe('');
});

test('a Service that loses its last endpoint, its node port or itself leaves nothing behind', () => {
  const withoutNodePort = { ...ECHO, nodePort: null };
  expect(tableChange(content(ECHO), content(withoutNodePort))).toBe(
    'delete element ip aquifer node-ports { tcp . 30080 : goto service-10.96.0.7-tcp-80 }\n',
  );
  expect(tableChange(content(withoutNodePort), content({ ...ECHO, endpoints: [] }))).toBe(
    `delete element ip aquifer service-addresses { 10.96.0.7 . tcp . 80 : goto service-10.96.0.7-tcp-80, 10.97.0.1 . tcp . 80 : goto service-10.96.0.7-tcp-80 }
flush chain ip aquifer service-10.96.0.7-tcp-80
delete chain ip aquifer service-10.96.0.7-tcp-80
`,
  );
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
  const common = { clusterIp: '10.96.0.7', balancerIps: [], nodePort: null, isSticky: false };
  expect(servicePortRules([service], [slice, elsewhere])).toEqual([
    { ...common, protocol: 'tcp', port: 80, endpoints: [{ address: '10.244.1.2', port: 8080 }] },
    { ...common, protocol: 'udp', port: 53, endpoints: [] },
  ]);
});
