import { expect, test } from 'vitest';
import { startOrigin } from '../../fixtures/echo-origin.ts';
import { socketAddress } from '../../fixtures/static-proxy.ts';
import { serveEngine } from './engine.ts';

/** Consistent hashing, in the Envoy configuration that asks for it. */
const NAMES = ['a', 'b', 'c', 'd'];

/** A ring of all origins, by the policy. */
async function serveRing(hashPolicy: object) {
  const origins = await Promise.all(NAMES.map((name) => startOrigin(name)));
  const endpoints = [
    { lb_endpoints: origins.map(({ port }) => ({ endpoint: { address: socketAddress(port) } })) },
  ];
  return serveEngine({
    clusters: {
      ring: {
        load_assignment: { cluster_name: 'ring', endpoints },
        ...{ type: 'STATIC', lb_policy: 'RING_HASH' },
      },
    },
    routes: [
      {
        match: { prefix: '/' },
        route: { cluster: 'ring', timeout: '0s', hash_policy: [hashPolicy] },
      },
    ],
  });
}

test.for<[what: string, policy: object, askWith: (key: string) => readonly [string, object]]>([
  [
    'a header (L053)',
    { header: { header_name: 'x-some-header' } },
    (key) => ['/', { headers: { 'x-some-header': key } }],
  ],
  [
    'a query parameter (L054)',
    { query_parameter: { name: 'some-query-param' } },
    (key) => [`/?some-query-param=${key}`, {}],
  ],
])('requests with the same value of %s go to one endpoint', async ([, policy, askWith]) => {
  const { ask } = await serveRing(policy);
  const chosen = new Set<string>();
  for (let i = 0; i < 10; i++) {
    const [path, asked] = askWith(`value-${i}`);
    const answers = await Promise.all(Array.from({ length: 10 }, () => ask(path, asked)));
    const names = new Set(answers.map(({ seen }) => seen?.origin));
    expect(names.size).toBe(1);
    for (const name of names) if (name !== undefined) chosen.add(name);
  }
  expect(chosen.size).toBeGreaterThan(1);
});

test('requests from one address go to one endpoint (L054)', async () => {
  const { ask } = await serveRing({ connection_properties: { source_ip: true } });
  const answers = await Promise.all(Array.from({ length: 20 }, () => ask('/')));
  expect(new Set(answers.map(({ seen }) => seen?.origin)).size).toBe(1);
});
