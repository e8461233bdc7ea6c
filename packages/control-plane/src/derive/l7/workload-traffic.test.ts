import { ListenerSchema } from '@aquifer/wire/gen/envoy/config/listener/v3_pb';
import { toJson } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { messageRegistry } from '../../../../../test/fixtures/message-registry.ts';
import type { TestObject } from '../derivation.fixture.ts';
import { deriveWaypoint, recordedObjects } from './recorded-waypoint.fixture.ts';

const registry = await messageRegistry();

interface MainListener {
  readonly filterChains: readonly { readonly name: string }[];
  readonly listenerFilters: readonly { readonly name: string; readonly filterDisabled?: object }[];
  readonly filterChainMatcher: {
    readonly matcherTree: {
      readonly customMatch: { readonly typedConfig: { readonly rangeMatchers?: RangeMatcher[] } };
    };
  };
}

interface RangeMatcher {
  readonly ranges: readonly { readonly addressPrefix: string }[];
}

/** Recording 01 with a waypoint for other traffic: the direct chains are recorded, addresses that lead to them are not. */
function serve(traffic: 'service' | 'workload' | 'all') {
  const objects = recordedObjects('01-base-waypoint').map((object): TestObject => {
    if (object.kind !== 'Gateway') return object;
    const labels = { 'istio.io/waypoint-for': traffic };
    return { ...object, metadata: { ...object.metadata, labels } as TestObject['metadata'] };
  });
  const { clusters, endpoints, listeners } = deriveWaypoint(objects);
  const main = listeners.get('main_internal')!.value;
  const json = toJson(ListenerSchema, main, { registry }) as unknown as MainListener;
  const { rangeMatchers = [] } = json.filterChainMatcher.matcherTree.customMatch.typedConfig;
  const direct = json.filterChains.filter(({ name }) => name.startsWith('direct-'));
  return { clusters, endpoints, rangeMatchers, direct, inspector: json.listenerFilters[1] };
}

function addresses({ ranges }: RangeMatcher): string[] {
  return ranges.map(({ addressPrefix }) => addressPrefix);
}

const toChain = (name: string) => ({ action: expect.objectContaining({ name }) });

test.for([
  { traffic: 'workload', vips: [] },
  { traffic: 'all', vips: [['10.96.0.10']] },
] as const)(
  'a waypoint for $traffic takes the addresses of its pods, by what is sniffed',
  ({ traffic, vips }) => {
    const { rangeMatchers, inspector } = serve(traffic);
    expect(rangeMatchers.map(addresses)).toEqual([...vips, ['10.1.0.11', '10.1.0.12']]);
    expect(rangeMatchers.at(-1)).toMatchObject({
      onMatch: {
        matcher: {
          matcherTree: {
            input: { name: 'application-protocol' },
            exactMatchMap: {
              map: { "'h2c'": toChain('direct-http'), "'http/1.1'": toChain('direct-http') },
            },
          },
          onNoMatch: toChain('direct-tcp'),
        },
      },
    });
    expect(inspector?.filterDisabled).toBeUndefined();
  },
);

test('their chains and cluster are those that every waypoint has, as recorded', () => {
  const [recorded, served] = [serve('service'), serve('workload')];
  expect(served.direct).toEqual(recorded.direct);
  expect(served.clusters.get('encap')).toEqual(recorded.clusters.get('encap'));
  expect([...served.clusters.keys()]).toEqual(['connect_originate', 'encap', 'main_internal']);
});

test('which pods take tunnels is said by the endpoints of `encap`, and only where there are such pods', () => {
  const { endpoints } = serve('workload');
  expect([...endpoints.keys()]).toEqual(['encap']);
  const hosts = endpoints
    .get('encap')!
    .value.endpoints[0]!.lbEndpoints.map(({ hostIdentifier }) => hostIdentifier);
  expect(hosts).toMatchObject([
    { value: { address: { address: { value: { endpointId: '10.1.0.11:0' } } } } },
    { value: { address: { address: { value: { address: '10.1.0.12' } } } } },
  ]);
  expect(serve('service').endpoints.has('encap')).toBe(false);
});
