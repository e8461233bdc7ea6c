import { ClusterSchema } from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import { toJson } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { messageRegistry } from '../../../../../test/fixtures/message-registry.ts';
import type { TestObject } from '../derivation.fixture.ts';
import { deriveWaypoint, recordedObjects } from './recorded-waypoint.fixture.ts';

const registry = await messageRegistry();
const OPTIONS = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

/** The HTTP options of the cluster of cart's only port; undefined without any, null without an HTTP cluster. */
function upstreamOptions(port: object) {
  const objects = recordedObjects('01-base-waypoint').map((object): TestObject => {
    if (object.kind !== 'Service' || object.metadata.name !== 'cart') return object;
    return { ...object, spec: { ...(object.spec as object), ports: [{ port: 7000, ...port }] } };
  });
  const { clusters } = deriveWaypoint(objects);
  const cluster = clusters.get('inbound-vip|7000|http|cart.shop.svc.cluster.local');
  if (cluster === undefined) return null;
  const json = toJson(ClusterSchema, cluster.value, { registry }) as Record<string, never>;
  return json.typedExtensionProtocolOptions?.[OPTIONS];
}

const HTTP2 = { explicitHttpConfig: { http2ProtocolOptions: {} } };
const AS_CLIENT = {
  useDownstreamProtocolConfig: { httpProtocolOptions: {}, http2ProtocolOptions: {} },
};

test.for([
  { port: { name: 'grpc' }, said: 'HTTP/2', options: HTTP2 },
  { port: { name: 'grpc-cart' }, said: 'HTTP/2', options: HTTP2 },
  { port: { name: 'http2' }, said: 'HTTP/2', options: HTTP2 },
  { port: { appProtocol: 'grpc' }, said: 'HTTP/2', options: HTTP2 },
  { port: { appProtocol: 'http2' }, said: 'HTTP/2', options: HTTP2 },
  { port: { name: 'http', appProtocol: 'kubernetes.io/h2c' }, said: 'HTTP/2', options: HTTP2 },
  { port: { name: 'http' }, said: 'HTTP/1.1', options: undefined },
  { port: { name: 'grpc-web' }, said: 'HTTP/1.1', options: undefined },
  // No protocol of Istio's: what comes is sniffed.
  { port: { name: 'h2c' }, said: 'what the client spoke', options: AS_CLIENT },
  { port: {}, said: 'what the client spoke', options: AS_CLIENT },
  { port: { name: 'tcp' }, said: 'no HTTP', options: null },
])('endpoints of the port $port are spoken to in $said', ({ port, options }) => {
  const expected = options && expect.objectContaining(options);
  expect(upstreamOptions(port)).toEqual(expected);
});
