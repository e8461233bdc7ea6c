import type { ConfigDump } from '@aquifer/wire';
import { expect, test } from 'vitest';
import { certificateTable, policyTable, serviceTable, workloadTable } from './ztunnel-tables.ts';

const dump: ConfigDump = {
  workloads: [
    {
      uid: 'Kubernetes//Pod/shop/server',
      name: 'server',
      namespace: 'shop',
      workloadIps: ['10.77.0.3'],
      protocol: 'HBONE',
      networkMode: 'Standard',
      trustDomain: 'cluster.local',
      serviceAccount: 'server',
      status: 'Healthy',
      clusterId: 'Kubernetes',
      capacity: 1,
      node: 'n2',
      waypoint: { destination: '/10.96.0.9', hboneMtlsPort: 15008 },
    },
  ],
  services: [
    {
      name: 'server',
      namespace: 'shop',
      hostname: 'server.shop.svc.cluster.local',
      vips: ['/10.96.0.1'],
      ports: { '80': 8080 },
      endpoints: {
        a: { workloadUid: 'Kubernetes//Pod/shop/server', port: {}, status: 'Healthy' },
        b: { workloadUid: 'not known', port: {}, status: 'Healthy' },
      },
      subjectAltNames: [],
    },
    {
      name: 'waypoint',
      namespace: 'shop',
      hostname: 'waypoint.shop.svc.cluster.local',
      vips: ['/10.96.0.9'],
      ports: {},
      endpoints: {},
      subjectAltNames: [],
    },
  ],
  policies: [
    {
      name: 'no-9090',
      namespace: 'shop',
      scope: 'WorkloadSelector',
      action: 'Deny',
      rules: [],
      dryRun: false,
    },
  ],
  certificates: [],
  workloadState: {},
  config: {},
  version: {},
};

test('workloads name the waypoint that takes their traffic', () => {
  expect(workloadTable(dump.workloads, dump)).toBe(
    'NAMESPACE POD NAME ADDRESS   NODE WAYPOINT PROTOCOL\n' +
      'shop      server   10.77.0.3 n2   waypoint HBONE\n',
  );
});

test('services count their endpoints whose workload is healthy', () => {
  expect(serviceTable(dump.services, dump).split('\n')[1]).toBe(
    'shop      server       10.96.0.1   None     1/2',
  );
});

test('policies show action and scope', () => {
  expect(policyTable(dump.policies)).toContain('shop      no-9090     Deny   WorkloadSelector');
});

test('a certificate that is being waited for is listed without one', () => {
  const identity = {
    identity: 'spiffe://td/ns/a/sa/b',
    state: 'Unavailable: denied',
    certChain: [],
    rootCerts: [],
  };
  const [, row = ''] = certificateTable([identity], new Date()).split('\n');
  expect(row.trim().split(/ {2,}/)).toEqual([
    'spiffe://td/ns/a/sa/b',
    'NA',
    'Unavailable',
    'false',
    'NA',
    'NA',
    'NA',
  ]);
});

test('a workload has all its addresses or its hostname, and a waypoint that may be unknown', () => {
  const [workload] = dump.workloads;
  const waypoint = { destination: 'shop/elsewhere', hboneMtlsPort: 15008 };
  const dual = { ...workload!, workloadIps: ['10.77.0.3', 'fd00::3'], waypoint };
  expect(workloadTable([dual], dump)).toContain(' 10.77.0.3,fd00::3 n2   NA ');
  const external = { ...workload!, workloadIps: [], hostname: 'db.example.com' };
  expect(workloadTable([external], dump)).toContain(' db.example.com n2 ');
});
