import type {
  Authorization,
  AuthorizationMatch,
  GatewayAddress,
  Service,
  Workload,
} from '@aquifer/model';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { runs } from '../../../../test/fuzz/runs.ts';
import { AuthorizationSchema, MatchSchema } from '../gen/istio/security_pb.ts';
import {
  type LoadBalancing_Mode,
  ServiceSchema,
  TunnelProtocol,
  WorkloadSchema,
} from '../gen/istio/workload_pb.ts';
import { decodeAuthorization, encodeAuthorization } from './authorization.ts';
import { decodeService, encodeService } from './service.ts';
import { decodeWorkload, encodeWorkload } from './workload.ts';

const text = fc.string({ minLength: 1, maxLength: 12 });
const ipv4 = fc.ipV4();
const port = fc.integer({ min: 0, max: 65535 });
const servicePort = fc.record({
  servicePort: port,
  targetPort: port,
  appProtocol: fc.constantFrom('unknown', 'http11', 'http2', 'grpc', 'tcp', 'tls'),
});
const gateway: fc.Arbitrary<GatewayAddress> = fc.record({
  destination: fc.oneof(
    fc.record({ kind: fc.constant('address' as const), network: text, address: ipv4 }),
    fc.record({ kind: fc.constant('hostname' as const), namespace: text, hostname: text }),
  ),
  hboneMtlsPort: port,
});

const workload: fc.Arbitrary<Workload> = fc.record({
  uid: text,
  name: text,
  namespace: text,
  addresses: fc.array(ipv4, { maxLength: 2 }),
  hostname: fc.string(),
  network: fc.string(),
  protocol: fc.constantFrom('tcp', 'hbone'),
  trustDomain: fc.constantFrom('cluster.local', 'example.org'),
  serviceAccount: text,
  waypoint: fc.option(gateway),
  networkGateway: fc.option(gateway),
  node: fc.string(),
  canonicalName: fc.string(),
  canonicalRevision: fc.string(),
  workloadType: fc.constantFrom('deployment', 'cronjob', 'pod', 'job'),
  workloadName: fc.string(),
  nativeTunnel: fc.boolean(),
  applicationTunnel: fc.option(
    fc.record({ protocol: fc.constantFrom('none' as const, 'proxy' as const), port }),
  ),
  services: fc
    .uniqueArray(fc.tuple(text, fc.array(servicePort, { maxLength: 3 })), {
      selector: ([key]) => key,
    })
    .map((entries) => new Map(entries.map(([key, ports]) => [`ns/${key}`, ports]))),
  authorizationPolicies: fc.array(text),
  status: fc.constantFrom('healthy', 'unhealthy'),
  clusterId: text,
  locality: fc.option(fc.record({ region: text, zone: fc.string(), subzone: fc.string() })),
  networkMode: fc.constantFrom('standard', 'host-network'),
  capacity: fc.nat(1000),
});

const service: fc.Arbitrary<Service> = fc.record({
  name: text,
  namespace: text,
  hostname: text,
  addresses: fc.array(
    fc.record({
      network: fc.string(),
      address: ipv4,
      prefixLength: fc.option(fc.integer({ min: 1, max: 31 })),
    }),
  ),
  ports: fc.array(servicePort, { maxLength: 3 }),
  subjectAltNames: fc.array(text),
  waypoint: fc.option(gateway),
  weightedWaypoints: fc.array(fc.record({ destination: gateway, weight: fc.nat(100) }), {
    maxLength: 2,
  }),
  loadBalancing: fc.option(
    fc.record({
      routingPreference: fc.array(
        fc.constantFrom('region', 'zone', 'subzone', 'node', 'cluster', 'network'),
      ),
      mode: fc.constantFrom('standard', 'strict', 'failover', 'passthrough'),
      healthPolicy: fc.constantFrom('only-healthy', 'allow-all'),
    }),
  ),
  ipFamilies: fc.constantFrom('automatic', 'ipv4-only', 'ipv6-only', 'dual'),
  canonical: fc.boolean(),
  ingressUseWaypoint: fc.boolean(),
  visibility: fc.constantFrom('public', 'namespace'),
});

const stringMatch = fc.oneof(
  fc.record({
    kind: fc.constantFrom('exact' as const, 'prefix' as const, 'suffix' as const),
    value: fc.string(),
  }),
  fc.constant({ kind: 'presence' as const }),
);
const strings = fc.array(stringMatch, { maxLength: 2 });
const ranges = fc.array(fc.record({ address: ipv4, prefixLength: fc.nat(32) }), { maxLength: 2 });
const accounts = fc.array(fc.record({ namespace: text, serviceAccount: text }), { maxLength: 2 });
const ports = fc.array(port, { maxLength: 2 });
const match: fc.Arbitrary<AuthorizationMatch> = fc.record({
  namespaces: strings,
  notNamespaces: strings,
  principals: strings,
  notPrincipals: strings,
  serviceAccounts: accounts,
  notServiceAccounts: accounts,
  sourceIps: ranges,
  notSourceIps: ranges,
  destinationIps: ranges,
  notDestinationIps: ranges,
  destinationPorts: ports,
  notDestinationPorts: ports,
});
const authorization: fc.Arbitrary<Authorization> = fc.record({
  name: text,
  namespace: text,
  scope: fc.constantFrom('global', 'namespace', 'workload-selector'),
  action: fc.constantFrom('allow', 'deny'),
  groups: fc.array(fc.array(fc.array(match, { maxLength: 2 }), { maxLength: 2 }), { maxLength: 2 }),
  dryRun: fc.boolean(),
});

test('a workload survives the way over the wire', () => {
  fc.assert(
    fc.property(workload, (value) => {
      const bytes = toBinary(WorkloadSchema, encodeWorkload(value));
      expect(decodeWorkload(fromBinary(WorkloadSchema, bytes))).toEqual({ ok: true, value });
    }),
    runs(50),
  );
});

test('a service survives the way over the wire', () => {
  fc.assert(
    fc.property(service, (value) => {
      const bytes = toBinary(ServiceSchema, encodeService(value));
      expect(decodeService(fromBinary(ServiceSchema, bytes))).toEqual({ ok: true, value });
    }),
    runs(50),
  );
});

test('a policy survives the way over the wire', () => {
  fc.assert(
    fc.property(authorization, (value) => {
      const bytes = toBinary(AuthorizationSchema, encodeAuthorization(value));
      expect(decodeAuthorization(fromBinary(AuthorizationSchema, bytes))).toEqual({
        ok: true,
        value,
      });
    }),
    runs(50),
  );
});

test.for([0, 9])('an address of %i bytes is refused (C130)', (length) => {
  const message = create(WorkloadSchema, { uid: 'w', addresses: [new Uint8Array(length)] });
  expect(decodeWorkload(message)).toEqual({
    ok: false,
    error: `failed to parse address, had ${length} bytes`,
  });
});

test.for([
  [[127, 0, 0, 1], '127.0.0.1'],
  [[0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7], '2001:db8::7'],
] as const)('an address of the bytes %j is %s (C130)', ([bytes, text]) => {
  const message = create(WorkloadSchema, { uid: 'w', addresses: [Uint8Array.from(bytes)] });
  expect(decodeWorkload(message)).toMatchObject({ ok: true, value: { addresses: [text] } });
});

test('a workload with a five byte address is refused', () => {
  const message = create(WorkloadSchema, { uid: 'w', addresses: [new Uint8Array(5)] });
  expect(decodeWorkload(message)).toEqual({
    ok: false,
    error: 'failed to parse address, had 5 bytes',
  });
});

test('a workload with a tunnel this proxy does not speak is refused', () => {
  const message = create(WorkloadSchema, {
    uid: 'w',
    tunnelProtocol: TunnelProtocol.LEGACY_ISTIO_MTLS,
  });
  expect(decodeWorkload(message).ok).toBe(false);
});

test('a service with a load balancing mode of tomorrow is refused', () => {
  const message = create(ServiceSchema, { loadBalancing: { mode: 9 as LoadBalancing_Mode } });
  expect(decodeService(message)).toEqual({ ok: false, error: 'unknown load balancing mode 9' });
});

test('a policy with a string match of an unknown kind is refused rather than widened', () => {
  const message = create(AuthorizationSchema, {
    groups: [{ rules: [{ matches: [create(MatchSchema, { principals: [{}] })] }] }],
  });
  expect(decodeAuthorization(message).ok).toBe(false);
});
