import { AccessLogSchema } from '@aquifer/wire/gen/envoy/config/accesslog/v3_pb';
import { file_envoy_extensions_access_loggers_file_v3 } from '@aquifer/wire/gen/envoy/extensions/access_loggers/file/v3_pb';
import { file_envoy_extensions_access_loggers_filters_cel_v3 } from '@aquifer/wire/gen/envoy/extensions/access_loggers/filters/cel/v3_pb';
import { createRegistry, fromJson, type JsonObject } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { type AccessRecord, compileAccessLog } from './access-log.ts';

const RECORD: AccessRecord = {
  protocol: 'HTTP/1.1',
  terminationDetails: null,
  startedAtMs: Date.UTC(2026, 10, 21, 12, 0, 0, 7),
  method: 'GET',
  path: '/items?all',
  status: 503,
  flags: 'UF',
  details: 'upstream_reset',
  bytesReceived: 1,
  bytesSent: 2,
  durationMs: 3,
  upstreamServiceTimeMs: null,
  requestHeaders: ['user-agent', 'curl', 'x-request-id', 'id-1', 'x-two', 'a', 'x-two', 'b'],
  responseHeaders: ['x-served-by', 'cart-1'],
  authority: 'cart',
  upstreamHost: '10.0.0.1:80',
  upstreamCluster: 'inbound-vip|80|http|cart',
  upstreamFailure: 'refused',
  downstreamLocal: '10.96.0.10:80',
  downstreamRemote: '10.244.1.7:4000',
  routeName: 'default',
  grpcStatus: null,
  source: {
    principal: 'spiffe://cluster.local/ns/shop/sa/web',
    workload: 'web',
    namespace: 'shop',
    canonicalName: 'web',
    canonicalRevision: 'v1',
    cluster: 'Kubernetes',
  },
  destination: null,
  traceId: null,
};

function lineOf(config: JsonObject, filter?: JsonObject): string | undefined {
  const type = 'type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog';
  const typedConfig = { '@type': type, path: '/dev/stdout', ...config };
  const json = { name: 'file', typedConfig, ...(filter && { filter }) };
  const registry = createRegistry(
    file_envoy_extensions_access_loggers_file_v3,
    file_envoy_extensions_access_loggers_filters_cel_v3,
  );
  const log = fromJson(AccessLogSchema, json, { registry });
  let line: string | undefined;
  compileAccessLog([log], 'access_log')?.(RECORD, {
    ...{ stderr: () => undefined, records: () => undefined },
    stdout: (text) => {
      line = text;
    },
  });
  return line;
}

test('a log without a format has the lines that Envoy writes by default', () => {
  expect(lineOf({})).toBe(
    '[2026-11-21T12:00:00.007Z] "GET /items?all HTTP/1.1" 503 UF 1 2 3 - "-" "curl" "id-1" "cart" "10.0.0.1:80"\n',
  );
});

test('a format is followed, and what has no value is a dash', () => {
  const inlineString =
    '%RESPONSE_CODE%|%REQ(X-TWO)%|%REQ(NONE)%|%REQUESTED_SERVER_NAME%|%ROUTE_NAME%!';
  expect(lineOf({ logFormat: { textFormatSource: { inlineString } } })).toBe(
    '503|a,b|-|-|default!',
  );
});

test.for<[JsonObject, boolean]>([
  [{ statusCodeFilter: { comparison: { op: 'GE', value: { defaultValue: 500 } } } }, true],
  [{ statusCodeFilter: { comparison: { op: 'LE', value: { defaultValue: 500 } } } }, false],
  [{ statusCodeFilter: { comparison: { op: 'EQ', value: { defaultValue: 503 } } } }, true],
  [{ responseFlagFilter: { flags: ['NR', 'UF'] } }, true],
  [{ responseFlagFilter: { flags: ['NR'] } }, false],
  [{ responseFlagFilter: {} }, true],
  [
    {
      andFilter: {
        filters: [{ responseFlagFilter: {} }, { responseFlagFilter: { flags: ['NR'] } }],
      },
    },
    false,
  ],
])('with the filter %j, whether a 503 for a failed connection has a line: %s', ([filter, has]) => {
  expect(lineOf({}, filter) !== undefined).toBe(has);
});

test('JSON has its keys in order, keeps types, and has null for what has no value', () => {
  const jsonFormat = {
    status: '%RESPONSE_CODE%',
    agent: '%REQ(NONE?USER-AGENT):2%',
    fixed: 7,
    path: 'to %REQ(:PATH)% by %REQ(NONE)%',
    upstream: { host: '%UPSTREAM_HOST%', time: '%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%' },
    quoted: '"%ROUTE_NAME%"',
  };
  expect(lineOf({ logFormat: { jsonFormat } })).toBe(
    '{"agent":"cu","fixed":7,"path":"to /items?all by -","quoted":"\\"default\\"","status":503,' +
      '"upstream":{"host":"10.0.0.1:80","time":null}}\n',
  );
});

test('a command that nobody knows is refused by its name', () => {
  const logFormat = { textFormatSource: { inlineString: '%NONSENSE%' } };
  expect(() => lineOf({ logFormat })).toThrow('access_log[0].log_format: %NONSENSE% is no command');
});

const CEL = 'type.googleapis.com/envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter';

function byExpression(expression: string): JsonObject {
  return { extensionFilter: { name: 'cel', typedConfig: { '@type': CEL, expression } } };
}

test.for<[string, boolean]>([
  ['response.code >= 500', true],
  ["response.code < 500 || request.url_path == '/items'", true],
  ["request.query == 'all' && request.method == 'GET'", true],
  ["request.headers['x-two'] == 'a,b'", true],
  ["'x-none' in request.headers", false],
  ["response.headers['x-served-by'].startsWith('cart')", true],
  ["request.useragent.matches('^cu.l$')", true],
  ['response.flags == 32', true],
  ["connection.mtls && connection.uri_san_peer_certificate.endsWith('/web')", true],
  ["source.port == 4000 && destination.address == '10.96.0.10:80'", true],
  ["request.duration < duration('1s')", true],
  ["downstream_peer.workload == 'web'", true],
  // What has no value is not logged, as in Envoy.
  ['response.grpc_status == 0', false],
  ['no_such_attribute == 1', false],
  ["'text'", false],
])('by the expression %s whether there is a line: %s', ([expression, has]) => {
  expect(lineOf({}, byExpression(expression)) !== undefined).toBe(has);
});

test('what is no expression is refused by its place', () => {
  expect(() => lineOf({}, byExpression('response.code >'))).toThrow(
    'access_log[0].filter.extension_filter.expression: is no expression of CEL',
  );
});

test('commands tell fields of answers, paths without their query, expressions and peers', () => {
  const inlineString =
    '%RESP(X-SERVED-BY)% %REQ_WITHOUT_QUERY(:PATH)% %CEL(string(response.code) + request.method)% ' +
    '%FILTER_STATE(downstream_peer_obj:FIELD:workload)% %FILTER_STATE(upstream_peer_obj:FIELD:app)%';
  expect(lineOf({ logFormat: { textFormatSource: { inlineString } } })).toBe(
    'cart-1 /items 503GET web -',
  );
});

test('empty values are omitted where that is asked for', () => {
  const text = { inlineString: '[%REQ(NONE)%] %RESPONSE_CODE%' };
  expect(lineOf({ logFormat: { textFormatSource: text, omitEmptyValues: true } })).toBe('[] 503');
  const jsonFormat = { none: '%REQ(NONE)%', code: '%RESPONSE_CODE%' };
  expect(lineOf({ logFormat: { jsonFormat, omitEmptyValues: true } })).toBe('{"code":503}\n');
});

test('a file that is neither standard output nor standard error is refused', () => {
  expect(() => lineOf({ path: '/var/log/access.log' })).toThrow(
    'access_log[0].path: only /dev/stdout and /dev/stderr are written to',
  );
});
