import type { Pod, Service } from '@aquifer/model/resources';
import { expect, test } from 'vitest';
import { type KubernetesServicePort, podPorts, portsOfService, protocolOf } from './ports.ts';
import { appProtocolOf } from './protocol.ts';

/** What the recording 06 does not show. */
const PROTOCOLS: readonly (KubernetesServicePort & { readonly expected: string })[] = [
  // appProtocol counts up to its first dash, as names do.
  { port: 80, name: 'tcp', appProtocol: 'http-api', expected: 'http11' },
  { port: 80, name: 'http', appProtocol: 'GRPC-Web-x', expected: 'unknown' },
  // Kubernetes' own values are told apart by case; a name cannot mean them.
  { port: 80, name: 'http', appProtocol: 'kubernetes.io/H2C', expected: 'unknown' },
  // Only UDP is unknown whatever it is called.
  { port: 80, name: 'http', protocol: 'SCTP', expected: 'http11' },
  { port: 53, name: 'dns', protocol: 'SCTP', expected: 'tcp' },
  { port: 53, name: 'tcp', protocol: 'UDP', expected: 'unknown' },
  { port: 53, appProtocol: 'http_proxy', expected: 'unknown' },
  // Words that JavaScript objects know.
  { port: 80, name: 'constructor', expected: 'unknown' },
];

test.for(PROTOCOLS)(
  'port $port/$protocol $name with appProtocol $appProtocol carries $expected',
  ({ expected, ...port }) => {
    expect(appProtocolOf(protocolOf(port))).toBe(expected);
  },
);

test('of two ports with one number the last one names the target of both', () => {
  const service = {
    spec: {
      ports: [
        { port: 53, name: 'dns', protocol: 'UDP', targetPort: 'dns' },
        { port: 53, name: 'dns-tcp', protocol: 'TCP', targetPort: 'dns-tcp' },
      ],
    },
  } as Service;
  const ports = [
    { name: 'dns', containerPort: 1053, protocol: 'UDP' },
    { name: 'dns-tcp', containerPort: 2053, protocol: 'TCP' },
  ];
  const pod = { spec: { containers: [{ name: 'c', ports }] } } as Pod;
  const resolved = podPorts(portsOfService(service), pod).map((port) => [
    port.servicePort,
    port.targetPort,
  ]);
  expect(resolved).toEqual([
    [53, 2053],
    [53, 2053],
  ]);
});
