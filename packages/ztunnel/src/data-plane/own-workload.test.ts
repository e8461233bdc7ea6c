import { setTimeout as delay } from 'node:timers/promises';
import { WorkloadStore } from '@aquifer/control-plane-client/store';
import { encodeWorkload } from '@aquifer/wire';
import { AddressSchema } from '@aquifer/wire/gen/istio/workload_pb';
import { create, toBinary } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { aWorkload } from '../../../../test/fixtures/mesh-objects.ts';
import { OwnWorkload } from './own-workload.ts';

const POD = {
  uid: 'pod',
  namespace: 'shop',
  name: 'web',
  serviceAccount: 'web',
  captureDns: false,
};

function arrive(store: WorkloadStore, serviceAccount: string): void {
  const workload = aWorkload({ name: 'web', serviceAccount, addresses: ['10.0.0.2'] });
  const type = { case: 'workload' as const, value: encodeWorkload(workload) };
  const body = toBinary(AddressSchema, create(AddressSchema, { type }));
  store.applyAddresses({ resources: [{ name: workload.uid, body }], removed: [] });
}

test('a connection that comes before its own workload goes on as soon as that arrives', async () => {
  const store = new WorkloadStore();
  const own = new OwnWorkload(store, POD);
  const startedMs = performance.now();
  const waiting = own.wait();
  await delay(50);
  arrive(store, 'somebody-else');
  await delay(50);
  arrive(store, 'web');
  expect((await waiting)?.name).toBe('web');
  expect(performance.now() - startedMs).toBeLessThan(4000);
});
