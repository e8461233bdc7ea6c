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

test('a port that is declared as HTTP/2 bounds the requests under way on a connection', () => {
  const chainOf = (options: Record<string, JsonValue>) =>
    compileListener(listenerWith({ http2ProtocolOptions: options })).choose(VIP, 80)?.http;
  expect(chainOf({})).toMatchObject({ kind: 'http', maxConcurrentStreams: 1024 });
  expect(chainOf({ maxConcurrentStreams: 7 })).toMatchObject({ maxConcurrentStreams: 7 });
});
