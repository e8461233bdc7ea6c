import { expect, test } from 'vitest';
import { parseMeshConfig } from './mesh-config.ts';

function provider(fields: string) {
  const { extensionProviders, unread } = parseMeshConfig(`extensionProviders: [{${fields}}]`);
  return { ...extensionProviders[0], unread };
}

test('who is asked over HTTP, and how', () => {
  expect(
    provider(`name: ask, envoyExtAuthzHttp: {
      service: auth/ask.example.com, port: '8000', timeout: 1.5s, failOpen: true, statusOnError: '503', pathPrefix: /check,
      includeHeadersInCheck: [older], includeRequestHeadersInCheck: [x-a, 'x-b*'],
      includeAdditionalHeadersInCheck: {x-z: last, x-from: mesh}, headersToUpstreamOnAllow: [x-user],
      headersToDownstreamOnAllow: [x-ok], headersToDownstreamOnDeny: [x-why],
      includeRequestBodyInCheck: {maxRequestBytes: 8, allowPartialMessage: true, packAsBytes: true}}`),
  ).toEqual({
    name: 'ask',
    service: { namespace: 'auth', hostname: 'ask.example.com', port: 8000 },
    authorization: {
      kind: 'http',
      service: { namespace: 'auth', hostname: 'ask.example.com', port: 8000 },
      timeoutMs: 1500,
      failure: 'passes',
      failureStatus: 503,
      body: { maxBytes: 8, ofLonger: 'the-beginning' },
      pathPrefix: '/check',
      heardHeaders: ['x-a', 'x-b*'],
      addedHeaders: [
        ['x-from', 'mesh'],
        ['x-z', 'last'],
      ],
      upstreamOnAllow: ['x-user'],
      downstreamOnAllow: ['x-ok'],
      downstreamOnDeny: ['x-why'],
    },
    telemetry: null,
    unread: ['extensionProviders[0].envoyExtAuthzHttp.includeRequestBodyInCheck.packAsBytes'],
  });
});

test('who is asked over gRPC fails closed, after ten minutes, unless said otherwise', () => {
  const { authorization } = provider('name: ask, envoyExtAuthzGrpc: {service: ask, port: 9000}');
  expect(authorization).toMatchObject({
    kind: 'grpc',
    service: { namespace: null, hostname: 'ask', port: 9000 },
    timeoutMs: 600_000,
    failure: 'answered',
    failureStatus: null,
    body: null,
  });
});

test.for([
  ['name: logs, envoyFileAccessLog: {path: /dev/stdout}', null],
  ['name: spans, zipkin: {service: a/zipkin, port: 9411}', { namespace: 'a', hostname: 'zipkin' }],
] as const)('%s asks nobody', ([fields, service]) => {
  const read = provider(fields);
  expect(read.authorization).toBeNull();
  expect(read.service).toEqual(service && expect.objectContaining(service));
});

test.for([
  ['envoyExtAuthzHttp: {failOpen: maybe}', 'failOpen is neither true nor false'],
  ['envoyExtAuthzHttp: {port: http}', 'port is no number'],
  ['envoyExtAuthzHttp: {headersToUpstreamOnAllow: x}', 'is no list of texts'],
] as const)('%s is refused', ([fields, problem]) => {
  expect(() => provider(fields)).toThrow(problem);
});

test.for([
  [
    'name: a, envoyFileAccessLog: {path: /dev/stderr, omitEmptyValues: true, logFormat: {labels: {at: 2026-01-01, n: 1}}}',
    {
      kind: 'file',
      path: '/dev/stderr',
      format: { kind: 'json', members: { n: 1 } },
      emptyValues: 'omitted',
    },
  ],
  [
    'name: a, envoyOtelAls: {service: o, port: 4317, logFormat: {text: line, labels: {who: x}}}',
    { kind: 'records', logName: 'otel_envoy_accesslog', text: 'line', labels: { who: 'x' } },
  ],
  [
    'name: a, envoyTcpAls: {service: n/o, port: 1, filterStateObjectsToLog: [peer]}',
    { kind: 'streamed', of: 'tcp', logName: 'tcp_envoy_accesslog', filterStates: ['peer'] },
  ],
  [
    'name: a, zipkin: {service: z, port: 9411, enable64bitTraceId: true, traceContextOption: USE_B3_WITH_W3C_PROPAGATION, timeout: 1s}',
    {
      kind: 'zipkin',
      traceIdBits: 64,
      contexts: 'b3-and-w3c',
      timeoutMs: 1_000,
      path: '/api/v2/spans',
    },
  ],
  [
    'name: a, opentelemetry: {service: o, port: 4318, http: {path: /v1/traces, timeout: 3s, headers: [{name: k, value: v}]}}',
    {
      kind: 'opentelemetry',
      transport: { kind: 'http', path: '/v1/traces', timeoutMs: 3_000, headers: [['k', 'v']] },
      resources: 'fixed',
    },
  ],
  ['name: a, prometheus: {}', { kind: 'prometheus' }],
  ['name: a, datadog: {service: d, port: 8126}', { kind: 'unsupported', type: 'datadog' }],
] as const)('%s is told of what proxies carry', ([fields, telemetry]) => {
  const read = provider(fields);
  expect(read.telemetry).toMatchObject(telemetry);
  expect(read.unread).toEqual([]);
});
