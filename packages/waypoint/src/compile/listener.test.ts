import { ListenerSchema } from '@aquifer/wire/gen/envoy/config/listener/v3_pb';
import { fromJson, type JsonValue } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { mainInternal, TYPES } from '../../../../test/fixtures/waypoint-config.ts';
import { compileListener } from './listener.ts';

const VIP = '10.96.0.10';

interface Filter {
  readonly typedConfig: Record<string, JsonValue>;
}

/** The listener of one HTTP port, with changes to its connection manager. */
function listenerWith(changes: Record<string, JsonValue>) {
  const json = mainInternal(VIP) as unknown as { filterChains: { filters: Filter[] }[] };
  Object.assign(json.filterChains[0]!.filters[0]!.typedConfig, changes);
  return fromJson(ListenerSchema, json as unknown as JsonValue, { registry: TYPES });
}

test('a chain whose bytes did not change stays the same object, and only that', () => {
  const first = compileListener(listenerWith({}));
  const second = compileListener(listenerWith({}), first.compiled);
  const third = compileListener(listenerWith({ serverName: 'other' }), second.compiled);
  const chain = first.choose(VIP, 80)?.http;
  expect(chain).toBeDefined();
  expect(second.choose(VIP, 80)?.http).toBe(chain);
  expect(third.choose(VIP, 80)?.http).not.toBe(chain);
});

test('a port that is declared as HTTP/2 is served as bytes, by the routes that ask for nothing', () => {
  const routes = (...targets: JsonValue[]): Record<string, JsonValue> => ({
    http2ProtocolOptions: {},
    routeConfig: { virtualHosts: [{ name: 'v', domains: ['*'], routes: targets }] },
  });
  const toOne = { match: { prefix: '/' }, route: { cluster: 'one' } };
  const onPath = { match: { path: '/x' }, route: { cluster: 'two' } };
  const split = {
    match: { prefix: '/' },
    route: {
      weightedClusters: {
        clusters: [
          { name: 'a', weight: 90 },
          { name: 'b', weight: 10 },
        ],
      },
    },
  };
  const redirect = { match: { prefix: '/' }, redirect: { hostRedirect: 'x' } };
  const targets = (...given: JsonValue[]) => {
    const choice = compileListener(listenerWith(routes(...given))).choose(VIP, 80);
    const chain = choice?.tcp;
    expect(choice?.http).toBe(chain);
    return chain?.kind === 'tcp' && chain.targets.map(({ cluster, weight }) => [cluster, weight]);
  };
  expect(targets(onPath, toOne)).toEqual([['one', 1]]);
  expect(targets(split)).toEqual([
    ['a', 90],
    ['b', 10],
  ]);
  expect(targets(onPath)).toEqual([['inbound-vip|80|http|cart.shop.svc.cluster.local', 1]]);
  expect(targets(redirect)).toEqual([]);
});
