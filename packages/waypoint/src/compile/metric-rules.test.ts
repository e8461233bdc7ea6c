import { PluginConfigSchema } from '@aquifer/wire/gen/istio/stats_pb';
import { create, toBinary } from '@bufbuild/protobuf';
import { AnySchema } from '@bufbuild/protobuf/wkt';
import { expect, test } from 'vitest';
import type { AccessRecord } from './access-record.ts';
import { compileMetricRules } from './metric-rules.ts';

const RECORD: AccessRecord = {
  protocol: 'HTTP/1.1',
  terminationDetails: null,
  startedAtMs: 0,
  method: 'GET',
  path: `/${'x'.repeat(50_000)}`,
  status: 200,
  flags: '-',
  details: 'via_upstream',
  bytesReceived: 0,
  bytesSent: 0,
  durationMs: 1,
  upstreamServiceTimeMs: null,
  requestHeaders: [],
  responseHeaders: [],
  authority: 'cart',
  upstreamHost: null,
  upstreamCluster: null,
  upstreamFailure: null,
  downstreamLocal: '10.0.0.1:80',
  downstreamRemote: '10.0.0.2:4000',
  routeName: 'default',
  grpcStatus: null,
  source: {
    principal: '',
    workload: null,
    namespace: null,
    canonicalName: null,
    canonicalRevision: null,
    cluster: null,
  },
  destination: null,
  traceId: null,
};

/** The labels that a request has besides the usual ones. */
function addedTo(dimensions: Readonly<Record<string, string>>) {
  const config = create(PluginConfigSchema, { metrics: [{ name: 'requests_total', dimensions }] });
  const value = create(AnySchema, {
    typeUrl: `type.googleapis.com/${PluginConfigSchema.typeName}`,
    value: toBinary(PluginConfigSchema, config),
  });
  const rules = compileMetricRules([{ configType: { value } }], 'filters');
  return rules?.toldOf(RECORD).changes.requests_total?.added ?? [];
}

test('a value that a request makes up is kept in part only', () => {
  expect(addedTo({ path: 'request.path' })).toEqual([['path', `/${'x'.repeat(255)}`]]);
});

test.for([
  ['', '_'],
  ['le', '_le'],
  ['1.x"}', '_1_x__'],
  ['path', 'path'],
])('label "%s" has a name that spoils no page of metrics: %s', ([asked, name]) => {
  expect(addedTo({ [asked!]: "'1'" })).toEqual([[name, '1']]);
});
