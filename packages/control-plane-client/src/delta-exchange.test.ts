import { authorize, EMPTY_MATCH, type Workload } from '@aquifer/model';
import { createLogger } from '@aquifer/runtime';
import { ADDRESS_TYPE, AUTHORIZATION_TYPE, encodeAuthorization } from '@aquifer/wire';
import { AuthorizationSchema } from '@aquifer/wire/gen/istio/security_pb';
import { toBinary } from '@bufbuild/protobuf';
import { status } from '@grpc/grpc-js';
import { expect, onTestFinished, test } from 'vitest';
import { aWorkload } from '../../../test/fixtures/mesh-objects.ts';
import { ScriptedDiscovery, type SentResource } from '../../../test/fixtures/scripted-discovery.ts';
import { addressResources } from '../../../test/fixtures/test-data-plane.ts';
import { DeltaStream } from './delta-stream.ts';
import { WorkloadStore } from './workload-state/workload-store.ts';

async function follow() {
  const server = await ScriptedDiscovery.start();
  onTestFinished(() => server.stop());
  const store = new WorkloadStore();
  const synced: (() => void)[] = [];
  let isSynced = false;
  const stream = new DeltaStream({
    endpoint: server.endpoint,
    node: { id: 'ztunnel~10.0.0.1~ztunnel-1.istio-system~x', metadata: {} },
    subscriptions: [
      { typeUrl: ADDRESS_TYPE, names: '*', apply: (batch) => store.applyAddresses(batch) },
      { typeUrl: AUTHORIZATION_TYPE, names: '*', apply: (batch) => store.applyPolicies(batch) },
    ],
    log: createLogger('xds', { format: 'plain', levels: 'off' }),
    onSynced: () => {
      isSynced = true;
      for (const act of synced) act();
    },
  });
  void stream.run();
  onTestFinished(() => stream.stop());
  await expect.poll(() => server.requests(0, AUTHORIZATION_TYPE).length).toBe(1);
  return {
    server,
    store,
    isSynced: () => isSynced,
    onSynced: (act: () => void) => synced.push(act),
  };
}

function workloads(...all: Workload[]): SentResource[] {
  return addressResources(all, []);
}

const server = aWorkload({ name: 'server', addresses: ['127.0.0.2'] });
const BROKEN = Uint8Array.of(0xff, 0xff);

test('a proxy is ready when both types have come, and what they say is in force then (C139)', async () => {
  const { server: control, store, isSynced, onSynced } = await follow();
  const denyPort = encodeAuthorization({
    ...{ name: 'deny', namespace: 'shop', scope: 'namespace', action: 'deny', dryRun: false },
    groups: [[[{ ...EMPTY_MATCH, destinationPorts: [80] }]]],
  });
  const verdicts: boolean[] = [];
  onSynced(() => {
    const found = store.snapshot.workloadByAddress('', '127.0.0.2')!;
    const policies = store.policiesFor(found).map(({ policy }) => policy);
    for (const destinationPort of [80, 81]) {
      const ips = { sourceIp: '127.0.0.1', destinationIp: '127.0.0.2' };
      const peer = { sourceIdentity: null, ...ips, destinationPort };
      verdicts.push(authorize(policies, peer).allowed);
    }
  });
  control.send(ADDRESS_TYPE, workloads(server));
  await expect.poll(() => control.requests(0, ADDRESS_TYPE).length).toBe(2);
  expect(isSynced()).toBe(false);
  const body = toBinary(AuthorizationSchema, denyPort);
  control.send(AUTHORIZATION_TYPE, [{ name: 'shop/deny', body }]);
  await expect.poll(isSynced).toBe(true);
  expect(verdicts).toEqual([false, true]);
});

test('what cannot be read is refused, and a new stream claims only what was taken (C141)', async () => {
  const { server: control } = await follow();
  const [good] = workloads(server);
  const resources = [
    { ...good!, name: 'foo0' },
    { name: 'foo1', body: BROKEN },
  ];
  control.send(ADDRESS_TYPE, resources);
  await expect.poll(() => control.requests(0, ADDRESS_TYPE).length).toBe(2);
  const [, refusal] = control.requests(0, ADDRESS_TYPE);
  expect(refusal?.errorDetail?.message).toContain('foo1');
  expect(refusal?.responseNonce).toBe('1');
  control.streams[0]!.stream.end();
  await expect.poll(() => control.requests(1, AUTHORIZATION_TYPE).length).toBe(1);
  const [address] = control.requests(1, ADDRESS_TYPE);
  expect(address?.initialResourceVersions).toEqual({ foo0: '0.0.1' });
  const [authorization] = control.requests(1, AUTHORIZATION_TYPE);
  expect(authorization?.initialResourceVersions).toEqual({});
});

test('a stream that breaks loses nothing, and the next one goes on (C143)', async () => {
  const { server: control, store } = await follow();
  const found = () => store.snapshot.workloadByAddress('', '127.0.0.2')?.name ?? null;
  control.send(ADDRESS_TYPE, workloads(server));
  await expect.poll(found).toBe('server');
  const aborted = Object.assign(new Error('aborted'), { code: status.ABORTED });
  control.streams[0]!.stream.emit('error', aborted);
  await expect.poll(() => control.requests(1, ADDRESS_TYPE).length).toBe(1);
  expect(found()).toBe('server');
  control.send(ADDRESS_TYPE, [], [server.uid]);
  await expect.poll(found).toBe(null);
});
