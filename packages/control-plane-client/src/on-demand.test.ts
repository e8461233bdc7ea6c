import { createLogger } from '@aquifer/runtime';
import { ADDRESS_TYPE, AUTHORIZATION_TYPE } from '@aquifer/wire';
import { expect, onTestFinished, test } from 'vitest';
import { aWorkload } from '../../../test/fixtures/mesh-objects.ts';
import { ScriptedDiscovery } from '../../../test/fixtures/scripted-discovery.ts';
import { addressResources } from '../../../test/fixtures/test-data-plane.ts';
import { DeltaStream } from './delta-stream.ts';
import { DemandedNames } from './demanded-names.ts';
import { WorkloadStore } from './workload-state/workload-store.ts';

async function follow() {
  const server = await ScriptedDiscovery.start();
  onTestFinished(() => server.stop());
  const store = new WorkloadStore();
  const names = new DemandedNames();
  let isSynced = false;
  const stream = new DeltaStream({
    endpoint: server.endpoint,
    node: { id: 'ztunnel~10.0.0.1~ztunnel-1.istio-system~x', metadata: {} },
    subscriptions: [
      { typeUrl: ADDRESS_TYPE, names, apply: (batch) => store.applyAddresses(batch) },
      { typeUrl: AUTHORIZATION_TYPE, names: '*', apply: (batch) => store.applyPolicies(batch) },
    ],
    log: createLogger('xds', { format: 'plain', levels: 'off' }),
    onSynced: () => {
      isSynced = true;
    },
  });
  void stream.run();
  onTestFinished(() => stream.stop());
  await expect.poll(() => server.requests(0, AUTHORIZATION_TYPE).length).toBe(1);
  return { server, store, names, isSynced: () => isSynced };
}

/** Names that were subscribed to on a stream after its first request. */
function subscribed(server: ScriptedDiscovery, stream = 0): string[] {
  const [, ...later] = server.requests(stream, ADDRESS_TYPE);
  return later.flatMap((request) => request.resourceNamesSubscribe);
}

test('on demand, addresses are opened with nothing and policies with all of them (C140)', async () => {
  const { server } = await follow();
  const [address] = server.requests(0, ADDRESS_TYPE);
  expect(address).toMatchObject({
    ...{ resourceNamesSubscribe: ['*'], resourceNamesUnsubscribe: ['*'] },
    initialResourceVersions: {},
  });
  const [authorization] = server.requests(0, AUTHORIZATION_TYPE);
  expect(authorization).toMatchObject({
    ...{ resourceNamesSubscribe: [], resourceNamesUnsubscribe: [] },
  });
});

test('a proxy is ready before it knows any address', async () => {
  const { server, isSynced } = await follow();
  server.send(AUTHORIZATION_TYPE, []);
  await expect.poll(isSynced).toBe(true);
});

test('a name is answered when what 10,000 resources say can be read (C142)', async () => {
  const { server, store, names } = await follow();
  const others = Array.from({ length: 10_000 }, (_, i) => aWorkload({ name: `other-${i}` }));
  const wanted = aWorkload({ name: 'wanted', addresses: ['10.0.0.9'] });
  const resources = addressResources([wanted, ...others], []).map((each) =>
    each.name === wanted.uid ? { ...each, aliases: ['/10.0.0.9'] } : each,
  );
  const known = Promise.withResolvers<string | undefined>();
  names.onChange(({ answered }) => {
    expect(answered).toEqual(['/10.0.0.9']);
    known.resolve(store.snapshot.workloadByAddress('', '10.0.0.9')?.name);
  });
  names.ask('/10.0.0.9');
  await expect.poll(() => subscribed(server)).toEqual(['/10.0.0.9']);
  server.send(ADDRESS_TYPE, resources);
  expect(await known.promise).toBe('wanted');
});

test('names that are asked for at a time go in one message', async () => {
  const { server, names } = await follow();
  for (const name of ['a', 'b', 'c']) names.ask(name);
  await expect.poll(() => server.requests(0, ADDRESS_TYPE).length).toBe(2);
  expect(subscribed(server)).toEqual(['a', 'b', 'c']);
});

test('what was asked of a stream that broke is asked of the next, with the versions that are held', async () => {
  const { server, names } = await follow();
  const [resource] = addressResources([aWorkload({ name: 'web', addresses: ['10.0.0.2'] })], []);
  for (const name of ['/10.0.0.2', '/10.0.0.3']) names.ask(name);
  server.send(ADDRESS_TYPE, [{ ...resource!, aliases: ['/10.0.0.2'] }]);
  await expect.poll(() => names.held.size).toBe(1);
  server.streams[0]!.stream.end();
  await expect.poll(() => server.requests(1, AUTHORIZATION_TYPE).length).toBe(1);
  const [address] = server.requests(1, ADDRESS_TYPE);
  expect(address).toMatchObject({
    resourceNamesSubscribe: ['*'],
    resourceNamesUnsubscribe: ['*'],
    initialResourceVersions: { [resource!.name]: '0.0.1', '/10.0.0.2': '', '/10.0.0.3': '' },
  });
  const answered: string[] = [];
  names.onChange((change) => answered.push(...change.answered));
  server.send(ADDRESS_TYPE, [], ['/10.0.0.3']);
  await expect.poll(() => answered).toEqual(['/10.0.0.3']);
});
