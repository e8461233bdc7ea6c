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
