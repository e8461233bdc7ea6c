import { readFileSync } from 'node:fs';
import type { CertificateState } from '@aquifer/control-plane-client';
import type { ConfigDump, DumpedCertificate } from '@aquifer/wire';
import { expect, test } from 'vitest';
import { renderConfigDump } from './config-dump.ts';

const path = '../../../../test/fixtures/golden/ztunnel/client.config_dump.json';
const recorded = JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')) as ConfigDump;

function pem(certificates: readonly DumpedCertificate[]): string {
  return certificates.map((one) => Buffer.from(one.pem, 'base64').toString()).join('');
}

const [held] = recorded.certificates;
const available: CertificateState = {
  kind: 'available',
  certificate: {
    key: 'never shown',
    chain: pem(held!.certChain),
    roots: pem(held!.rootCerts),
    notBeforeMs: 0,
    notAfterMs: 0,
  },
};

const captured = {
  uid: 'a',
  namespace: 'shop',
  name: 'client',
  serviceAccount: 'client',
  addresses: [],
  bypassInbound: false,
  captureDns: true,
  cgroupIds: [],
};

const text = renderConfigDump({
  thread: {
    workloads: recorded.workloads.toReversed(),
    services: recorded.services.toReversed(),
    policies: [{ ...recorded.policies[0]!, namespace: 'bar' }, ...recorded.policies.toReversed()],
    connections: {},
  },
  certificates: new Map([[held!.identity, available]]),
  local: { workloads: [], services: [], policies: [] },
  pods: new Map([
    ['a', { info: captured, isServed: true }],
    ['b', { info: captured, isServed: false }],
  ]),
  config: {},
  version: '1.31.0',
});
const dump = JSON.parse(text) as ConfigDump & Record<string, unknown>;

test('the dump has the keys and the order of ztunnel', () => {
  expect(Object.keys(dump)).toEqual([...Object.keys(recorded), 'workloadState'].toSorted());
  expect(Object.keys(dump.version)).toEqual(Object.keys(recorded.version));
  expect(dump.stagedServices).toEqual({});
  expect(dump.workloads).toEqual(recorded.workloads);
  expect(dump.services).toEqual(recorded.services);
  expect(dump.policies.map(({ namespace, name }) => `${namespace}/${name}`)).toEqual([
    'bar/dry',
    'shop/dry',
    'shop/no-9090',
  ]);
  expect(text.endsWith('}')).toBe(true);
});

test('a certificate is dumped as recorded, without its key', () => {
  expect(dump.certificates).toEqual(recorded.certificates);
  expect(text).not.toContain('never shown');
});

test('a pod that is not captured yet has no connections to show', () => {
  const info = { name: 'client', namespace: 'shop', serviceAccount: 'client' };
  expect(dump.workloadState).toEqual({
    a: { state: 'Up', info, connections: { inbound: [], outbound: [] } },
    b: { state: 'Pending', info },
  });
});
