import fc from 'fast-check';
import { expect, test } from 'vitest';
import { aWorkload } from '../../../../test/fixtures/mesh-objects.ts';
import { decodeBaggage, encodeBaggage } from './baggage.ts';
import { decodeForwarded, encodeForwarded } from './forwarded.ts';
import { formatSocketAddress, parseAuthority } from './socket-address.ts';

test.for([
  ['10.0.0.3:8080', { kind: 'address', ip: '10.0.0.3', port: 8080 }],
  ['[::1]:80', { kind: 'address', ip: '::1', port: 80 }],
  [
    'server.shop.svc.cluster.local:80',
    { kind: 'hostname', hostname: 'server.shop.svc.cluster.local', port: 80 },
  ],
  ['10.0.0.3', null],
  ['10.0.0.3:99999', null],
  ['::1:80', null],
  [':80', null],
  ['a b:80', null],
  ['host/path:80', null],
] as const)('authority %s is read as %j', ([text, expected]) => {
  expect(parseAuthority(text)).toEqual(expected);
});

test('an IPv6 socket address is bracketed', () => {
  expect(formatSocketAddress({ ip: 'fd00::1', port: 80 })).toBe('[fd00::1]:80');
});

test('forwarded carries the client and the service it called', () => {
  const header = encodeForwarded('10.0.0.2:41000', 'server.shop.svc.cluster.local');
  expect(header).toBe('for="10.0.0.2:41000";host=server.shop.svc.cluster.local');
  expect(decodeForwarded(header)).toEqual({
    client: '10.0.0.2:41000',
    hostname: 'server.shop.svc.cluster.local',
  });
  expect(decodeForwarded('by=x; host="" ')).toEqual({ client: null, hostname: null });
});

test.for([
  ['127.0.0.1', null, 'for="127.0.0.1:80"'],
  ['::1', null, 'for="[::1]:80"'],
  ['127.0.0.1', 'example.com', 'for="127.0.0.1:80";host=example.com'],
] as const)(
  'a client at %s that calls the service %s is forwarded as %s (C060)',
  ([ip, host, text]) => {
    expect(encodeForwarded(formatSocketAddress({ ip, port: 80 }), host)).toBe(text);
  },
);

test.for([
  ['by=x;for=y;host=example.com;proto=https', 'example.com'],
  ['for="127.0.0.1:80";host="example.com"', 'example.com'],
  ['for="127.0.0.1:80"', null],
  ['host=', null],
  ['host=ex\u00e4mple.com', null],
] as const)('what was forwarded with %s was for the host %s (C062)', ([header, hostname]) => {
  expect(decodeForwarded(header).hostname).toBe(hostname);
});

test('whatever a peer sends as headers is read, and nothing is thrown (C066)', () => {
  const bytes = fc.uint8Array({ maxLength: 200 }).map((raw) => Buffer.from(raw).toString('latin1'));
  const pieces = fc.constantFrom('for=', 'host=', 'k8s.pod.name=', '"', ';', ',', '=', 'x');
  const header = fc.oneof(
    bytes,
    fc.array(pieces).map((all) => all.join('')),
  );
  fc.assert(
    fc.property(header, (text) => {
      expect(Object.keys(decodeBaggage(text))).toHaveLength(8);
      expect(Object.keys(decodeForwarded(text))).toHaveLength(2);
      parseAuthority(text);
    }),
    { numRuns: 2000 },
  );
});

test('baggage keeps values that contain an equals sign and ignores strangers', () => {
  const read = decodeBaggage(
    'k8s.namespace.name=shop,k8s.deployment.name=web,service.version=a=b,x,y=',
  );
  expect(read).toMatchObject({
    namespace: 'shop',
    workloadType: 'deployment',
    workloadName: 'web',
    revision: 'a=b',
    clusterId: null,
  });
});

test('baggage says what a workload is, and is read as it was written (C063)', () => {
  const workload = aWorkload({
    ...{ name: 'web-1', workloadName: 'web', canonicalName: 'web', canonicalRevision: 'v1' },
    locality: { region: 'r1', zone: 'z1', subzone: '' },
  });
  expect(decodeBaggage(encodeBaggage(workload))).toEqual({
    ...{ clusterId: 'Kubernetes', namespace: 'shop', workloadType: workload.workloadType },
    ...{ workloadName: 'web', serviceName: 'web', revision: 'v1', region: 'r1', zone: 'z1' },
  });
});

const NOTHING = decodeBaggage('');

test.for([
  ['without values', 'k8s.cluster.name=,k8s.namespace.name=,service.name='],
  ['longer than anybody’s', `k8s.cluster.name=a,x=${'y'.repeat(2048)}`],
  ['that is not ASCII', 'k8s.cluster.name=ä'],
  ['with a control character', 'k8s.cluster.name=a\nb'],
])('baggage %s says nothing (C063)', ([, header]) => {
  expect(decodeBaggage(header!)).toEqual(NOTHING);
  expect(new Set(Object.values(NOTHING))).toEqual(new Set([null]));
});

test('baggage of several header fields counts as one, and the last member wins (C063)', () => {
  // Fields of one name are joined by a comma (RFC 9110 section 5.3).
  const fields = ['k8s.cluster.name=a,service.name=s', 'k8s.cluster.name=b'];
  const read = decodeBaggage(fields.join(','));
  expect(read).toMatchObject({ clusterId: 'b', serviceName: 's' });
});
