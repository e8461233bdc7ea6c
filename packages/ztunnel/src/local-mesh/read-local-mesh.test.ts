import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describePolicy, describeService, describeWorkload } from '@aquifer/wire';
import { expect, test } from 'vitest';
import { aService, aWorkload } from '../../../../test/fixtures/mesh-objects.ts';
import { readLocalMesh } from './read-local-mesh.ts';

const GOLDEN = join(import.meta.dirname, '../../../../test/fixtures/golden/ztunnel/config.yaml');

test('a file written for Istio’s ztunnel is read', async () => {
  const { workloads, services, policies } = await readLocalMesh(readFileSync(GOLDEN, 'utf8'));
  expect(workloads.map(({ name }) => name)).toEqual(['client', 'server', 'gone']);
  expect(workloads[1]!.services.get('shop/server.shop.svc.cluster.local')).toEqual([
    { servicePort: 80, targetPort: 8080, appProtocol: 'unknown' },
  ]);
  // Listed with the service, not with the workload.
  expect(workloads[1]!.services.has('shop/san.shop.svc.cluster.local')).toBe(true);
  expect(services.map(({ hostname }) => hostname)).toContain('san.shop.svc.cluster.local');
  expect(policies.map(({ name, action, dryRun }) => ({ name, action, dryRun }))).toEqual([
    { name: 'no-9090', action: 'deny', dryRun: false },
    { name: 'dry', action: 'deny', dryRun: true },
  ]);
});

test('what the config dump shows is read as what it was', async () => {
  const workload = aWorkload({
    name: 'web',
    addresses: ['10.0.0.1', '2001:db8::1'],
    waypoint: {
      destination: {
        kind: 'hostname',
        namespace: 'shop',
        hostname: 'waypoint.shop.svc.cluster.local',
      },
      hboneMtlsPort: 15_008,
    },
    applicationTunnel: { protocol: 'proxy', port: 15_088 },
    locality: { region: 'r', zone: 'z', subzone: '' },
  });
  const service = {
    ...aService({ name: 'web', vip: '10.96.0.1' }),
    weightedWaypoints: [
      {
        destination: {
          destination: { kind: 'address' as const, network: 'n', address: '10.0.0.9' },
          hboneMtlsPort: 15_008,
        },
        weight: 3,
      },
    ],
    loadBalancing: {
      routingPreference: ['network' as const, 'region' as const],
      mode: 'failover' as const,
      healthPolicy: 'allow-all' as const,
    },
  };
  const dumped = {
    workloads: [{ ...describeWorkload(workload), services: {} }],
    services: [describeService(service, new Map())],
  };
  const read = await readLocalMesh(JSON.stringify(dumped));
  expect(read.workloads).toEqual([workload]);
  expect(describeService(read.services[0]!, new Map())).toEqual(
    describeService(service, new Map()),
  );
});

test('every kind of match is read', async () => {
  const match = {
    namespaces: [{ Exact: 'a' }, { Prefix: 'b' }],
    notPrincipals: [{ Suffix: 'c' }, { Presence: [] }],
    serviceAccounts: [{ namespace: 'a', serviceAccount: 'b' }],
    sourceIps: ['10.0.0.0/8'],
    notDestinationPorts: [80],
  };
  const policy = { name: 'p', namespace: 'n', scope: 'Global', action: 'Allow', dryRun: false };
  const text = JSON.stringify({ policies: [{ ...policy, rules: [[[match]]] }] });
  const { policies } = await readLocalMesh(text);
  expect(describePolicy(policies[0]!).rules).toEqual([[[match]]]);
});

test.for([
  ['workloads: [{namespace: a}]', 'workloads[0].workloadIps: expected a list, not nothing'],
  ['workloads: [{namespace: a, workloadIps: [x]}]', 'workloads[0].workloadIps[0]: expected an IP'],
  ['workloads: [{namespace: a, workloadIps: [], services: {}, protocl: TCP}]', 'protocl: unknown'],
  ['workload: []', 'the file.workload: unknown field'],
  ['services: {}', 'services: expected a list'],
  [
    'policies: [{name: a, namespace: b, scope: Global, action: Maybe}]',
    'one of Allow, Deny, not "Maybe"',
  ],
  // A match that nobody has read would never match.
  [
    'policies: [{name: a, namespace: b, scope: Global, action: Deny, rules: [[[{ports: [80]}]]], dryRun: false}]',
    'ports: unknown field',
  ],
  ['{', 'not YAML'],
  ['[]', 'the file: expected a mapping'],
] as const)('%s is refused: %s', async ([text, error]) => {
  await expect(readLocalMesh(text)).rejects.toThrow(error);
});
