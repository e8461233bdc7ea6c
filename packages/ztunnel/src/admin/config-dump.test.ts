import { readFileSync } from 'node:fs';
import type { CertificateState } from '@aquifer/control-plane-client';
import { policyKey } from '@aquifer/model';
import type { ConfigDump, DumpedCertificate } from '@aquifer/wire';
import { expect, test } from 'vitest';
import { describeCertificates } from './certificate-dump.ts';
import { renderConfigDump } from './config-dump.ts';
import type { DumpItem } from './mesh-dump.ts';

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

function items<T extends object>(all: readonly T[], keyOf: (one: T) => string): DumpItem[] {
  return all.map((one) => ({ key: keyOf(one), describe: () => one }));
}

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

const text = await renderConfigDump({
  mesh: {
    workloads: items(recorded.workloads.toReversed(), ({ uid }) => uid),
    services: items(recorded.services.toReversed(), ({ hostname }) => hostname),
    policies: items(
      [{ ...recorded.policies[0]!, namespace: 'bar' }, ...recorded.policies.toReversed()],
      policyKey,
    ),
  },
  connections: {},
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

test('the dump has the keys and the order of ztunnel (C266)', () => {
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
  // What one call of the printer would have made of it all.
  expect(text).toBe(JSON.stringify(dump, null, 2));
});

test('a certificate is dumped as recorded, without its key', () => {
  expect(dump.certificates).toEqual(recorded.certificates);
  expect(text).not.toContain('never shown');
});

test('certificates are dumped by identity, with what there is of each (C267)', () => {
  const states = new Map<string, CertificateState>([
    ['spiffe://td/ns/c/sa/c', available],
    ['spiffe://td/ns/b/sa/b', { kind: 'initializing' }],
    ['spiffe://td/ns/a/sa/a', { kind: 'unavailable', error: 'the authority is away' }],
  ]);
  const nothing = { certChain: [], rootCerts: [] };
  expect(describeCertificates(states)).toEqual([
    {
      identity: 'spiffe://td/ns/a/sa/a',
      state: 'Unavailable: the authority is away',
      ...nothing,
    },
    { identity: 'spiffe://td/ns/b/sa/b', state: 'Initializing', ...nothing },
    { ...held, identity: 'spiffe://td/ns/c/sa/c' },
  ]);
});

test('a pod that is not captured yet has no connections to show (C245)', () => {
  const info = { name: 'client', namespace: 'shop', serviceAccount: 'client' };
  expect(dump.workloadState).toEqual({
    a: { state: 'Up', info, connections: { inbound: [], outbound: [] } },
    b: { state: 'Pending', info },
  });
});
