import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer, text } from 'node:stream/consumers';
import { ExportTraceServiceRequestSchema } from '@aquifer/wire/gen/opentelemetry/proto/collector/trace/v1_pb';
import { fromBinary } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../fixtures/eventually.ts';
import {
  accessLog,
  ENVOY,
  httpBootstrap,
  type StaticProxy,
  startStaticProxy,
} from '../fixtures/static-proxy.ts';

/** Which requests are logged, and what is told of them: the same configuration and requests to a real Envoy and to our engine. */

const EXPRESSIONS: readonly string[] = [
  'response.code >= 400',
  "response.code >= 400 || request.path == '/log'",
  "request.url_path == '/query' && request.query == 'a=1'",
  "request.method == 'POST'",
  "request.host == 'shop.test'",
  "request.scheme == 'http'",
  "request.protocol == 'HTTP/1.1'",
  "request.headers['x-user'] == 'ada'",
  "'x-user' in request.headers",
  'has(request.headers.none)',
  "request.useragent.startsWith('test/')",
  "request.referer != ''",
  'request.id.size() == 36',
  "request.path.matches('^/l.g$')",
  'request.size > 3',
  "request.duration < duration('60s')",
  "response.headers['x-from'] == 'origin'",
  "response.code_details == 'via_upstream'",
  "response.code_details.contains('direct')",
  'response.flags == 0',
  'response.flags == 256',
  'response.size > 0',
  'response.grpc_status == 0',
  'connection.mtls',
  '!connection.mtls',
  'connection.uri_san_peer_certificate == "x"',
  'source.port > 0',
  "source.address.startsWith('127.0.0.1:')",
  'destination.port > 0',
  "upstream.address.startsWith('127.0.0.1:')",
  "xds.route_name == 'logged'",
  "xds.cluster_name == 'origin'",
  'unknown.attribute == 1',
  "'text'",
  'response.code',
  'true',
];

const CEL = 'type.googleapis.com/envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter';

const ACCESS_LOGS = EXPRESSIONS.map((expression, i) => ({
  ...accessLog(`%REQ(X-NUMBER)% holds ${i}\n`),
  filter: {
    extension_filter: {
      name: 'envoy.access_loggers.extension_filters.cel',
      typed_config: { '@type': CEL, expression },
    },
  },
}));
const END = accessLog('%REQ(X-NUMBER)% ended\n');

const toOrigin = { route: { cluster: 'origin' } };
const ROUTES: readonly object[] = [
  { match: { path: '/log' }, name: 'logged', decorator: { operation: 'logging' }, ...toOrigin },
  { match: { prefix: '/direct' }, direct_response: { status: 418 } },
  { match: { prefix: '/' }, decorator: { operation: 'all/*' }, ...toOrigin },
];

const custom_tags = [
  { tag: 'a.literal', literal: { value: 'shop' } },
  { tag: 'a.header', request_header: { name: 'x-user', default_value: 'none' } },
  { tag: 'a.format', value: '%RESPONSE_CODE% %REQ(X-USER)%' },
  { tag: 'a.none', value: '%REQ(X-NONE)%' },
  { tag: 'a.variable', environment: { name: 'NO_SUCH_VARIABLE', default_value: 'v' } },
];

const TRACERS = {
  zipkin: {
    '@type': 'type.googleapis.com/envoy.config.trace.v3.ZipkinConfig',
    collector_endpoint_version: 'HTTP_JSON',
    trace_id_128bit: true,
    shared_span_context: false,
    collector_service: {
      http_uri: { uri: 'http://collector.test/spans', cluster: 'collector', timeout: '5s' },
      request_headers_to_add: [{ header: { key: 'x-key', value: 'abc' } }],
    },
  },
  opentelemetry: {
    '@type': 'type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig',
    service_name: 'shop',
    http_service: {
      http_uri: { uri: 'collector.test/v1/traces', cluster: 'collector', timeout: '5s' },
    },
  },
} as const;

type Tracer = keyof typeof TRACERS;

function tracing(tracer: Tracer): object {
  const provider = { name: `envoy.tracers.${tracer}`, typed_config: TRACERS[tracer] };
  return {
    random_sampling: { value: 0 },
    max_path_tag_length: 12,
    custom_tags,
    provider,
  };
}

interface Ask {
  readonly path?: string;
  readonly method?: string;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

let number = 0;

async function ask(port: number, { path = '/', method = 'GET', body = '', headers = {} }: Ask) {
  number += 1;
  const outgoing = request({
    ...{ port, host: '127.0.0.1', agent: false, path, method },
    headers: { host: 'shop.test', 'x-number': `n${number}`, ...headers },
  });
  const mine = `n${number}`;
  outgoing.end(body);
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  return { mine, status: response.statusCode, body: await text(response) };
}

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

/** Answers with the headers that it saw; with status 503 where it is asked for. */
async function startOrigin(): Promise<Server> {
  const server = createServer((incoming, response) => {
    incoming.resume().once('end', () => {
      response.writeHead(incoming.url === '/fails' ? 503 : 200, { 'x-from': 'origin' });
      response.end(JSON.stringify(incoming.headers));
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

interface Sent {
  readonly url: string;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: Buffer;
}

async function startCollector(sent: Sent[]): Promise<Server> {
  const server = createServer((incoming, response) => {
    void buffer(incoming).then((body) => {
      sent.push({ url: incoming.url ?? '', headers: incoming.headers, body });
      response.writeHead(202).end();
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

interface Told {
  readonly traceId: string;
  readonly id: string;
  readonly parentId: string;
  readonly name: string;
  readonly tags: Readonly<Record<string, unknown>>;
}

function spansIn({ body }: Sent, tracer: Tracer): readonly Told[] {
  if (tracer === 'zipkin') {
    return (JSON.parse(body.toString()) as Told[]).map((span) => ({
      ...span,
      parentId: span.parentId ?? '',
    }));
  }
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
  return fromBinary(ExportTraceServiceRequestSchema, body)
    .resourceSpans.flatMap(({ scopeSpans }) => scopeSpans)
    .flatMap(({ spans }) => spans)
    .map(({ traceId, spanId, parentSpanId, name, attributes }) => ({
      traceId: hex(traceId),
      id: hex(spanId),
      parentId: hex(parentSpanId),
      name,
      tags: Object.fromEntries(attributes.map(({ key, value }) => [key, value?.value.value])),
    }));
}

/** Tags that differ from run to run, or from proxy to proxy. */
const OWN_TAGS: readonly string[] = [
  'node_id',
  'zone',
  'guid:x-request-id',
  'peer.address',
  // The origin answers with what it was sent.
  'response_size',
];

function comparable(tags: Told['tags']): unknown {
  const shared = Object.entries(tags).filter(([name]) => !OWN_TAGS.includes(name));
  return Object.fromEntries(shared.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

describe.skipIf(ENVOY === undefined)('our engine and Envoy', () => {
  const origins: Server[] = [];
  const proxies: StaticProxy[] = [];

  afterAll(async () => {
    await Promise.all(proxies.map((proxy) => proxy.stop()));
    for (const server of origins) {
      server.close();
      server.closeAllConnections();
    }
  });

  async function start(
    name: 'envoy' | 'waypoint',
    manager: object,
    clusters: Record<string, number> = {},
  ) {
    const origin = await startOrigin();
    origins.push(origin);
    const all = { origin: portOf(origin), ...clusters };
    const proxy = await startStaticProxy(name, (port) =>
      httpBootstrap(all, [{ port, routes: ROUTES, manager }]),
    );
    proxies.push(proxy);
    return proxy;
  }

  describe('by expressions', () => {
    let pair: readonly StaticProxy[];

    beforeAll(async () => {
      const manager = { access_log: [...ACCESS_LOGS, END] };
      pair = await Promise.all([start('envoy', manager), start('waypoint', manager)]);
    }, 40_000);

    /** The expressions that hold for a request. */
    async function holding(proxy: StaticProxy, asked: Ask): Promise<string[]> {
      const { mine } = await ask(proxy.port, asked);
      const lines = () => readFileSync(proxy.logFile, 'utf8').split('\n');
      await eventually(() => lines().includes(`${mine} ended`), { what: 'a line' });
      return lines()
        .filter((line) => line.startsWith(`${mine} holds `))
        .map((line) => EXPRESSIONS[Number(line.split(' ').at(-1))]!);
    }

    test.for<Ask>([
      { path: '/log' },
      { path: '/query?a=1', headers: { 'x-user': 'ada', 'user-agent': 'test/1' } },
      { path: '/fails', method: 'POST', body: 'body' },
      { path: '/direct' },
      {
        path: '/',
        headers: { referer: 'http://a.test/', 'content-type': 'application/grpc' },
        method: 'POST',
      },
    ])('log the same requests: %o', async (asked) => {
      const [envoy, ours] = await Promise.all(pair.map((proxy) => holding(proxy, asked)));
      expect(ours).toEqual(envoy);
      expect(ours).toContain('true');
    });
  });

  describe.for(Object.keys(TRACERS) as Tracer[])('with the tracer %s', (tracer) => {
    const sent: { envoy: Sent[]; waypoint: Sent[] } = { envoy: [], waypoint: [] };
    const ports = { envoy: 0, waypoint: 0 };

    beforeAll(async () => {
      for (const name of ['envoy', 'waypoint'] as const) {
        const collector = await startCollector(sent[name]);
        origins.push(collector);
        const manager = { tracing: tracing(tracer) };
        ports[name] = (await start(name, manager, { collector: portOf(collector) })).port;
      }
    }, 40_000);

    const id = (digit: string): string => `11111111-2222-${digit}333-8444-555555555555`;
    const traceId = '463ac35c9f6413ad48485a3953bb6124';
    const b3 = { 'x-b3-traceid': traceId, 'x-b3-spanid': 'a2fb4a1d1a96d312' };
    const w3c = (flags: string) => ({ traceparent: `00-${traceId}-a2fb4a1d1a96d312-${flags}` });

    const ASKED: readonly Ask[] = [
      {},
      {
        path: '/log?with=query-that-is-long',
        headers: { 'x-request-id': id('9'), 'x-user': 'ada' },
      },
      { path: '/fails', headers: { 'x-request-id': id('a') } },
      { path: '/direct', headers: { 'x-request-id': id('b') } },
      { path: '/', headers: { 'x-client-trace-id': 'yes' } },
      { path: '/', headers: { 'x-request-id': 'no-uuid' } },
      { path: '/', headers: { ...b3, 'x-b3-sampled': '1' } },
      { path: '/', headers: { ...b3, 'x-b3-sampled': '0', 'x-request-id': id('9') } },
      { path: '/', headers: { ...b3, 'x-request-id': id('9') } },
      { path: '/', headers: { b3: `${traceId}-a2fb4a1d1a96d312-1` } },
      { path: '/', headers: { 'x-b3-sampled': '1' } },
      { path: '/', headers: { b3: '1' } },
      { path: '/', headers: { ...w3c('01'), tracestate: 'a=b' } },
      { path: '/', headers: { ...w3c('01'), 'x-request-id': id('9') } },
      { path: '/', headers: { ...w3c('00'), 'x-request-id': id('9') } },
      { path: '/', headers: { traceparent: 'nonsense', 'x-request-id': id('9') } },
      { path: '/', headers: { 'x-envoy-decorator-operation': 'asked', 'x-request-id': id('9') } },
    ];

    /** What the next one hears of the trace, with the client's ids by name and others as such. */
    function passedOn(body: string): Record<string, string> {
      if (body === '') return {};
      const headers = JSON.parse(body) as Record<string, string>;
      const names = [
        'x-b3-traceid',
        'x-b3-spanid',
        'x-b3-parentspanid',
        'x-b3-sampled',
        'b3',
        'traceparent',
        'tracestate',
      ];
      const seen = names.flatMap((name) => {
        const value = headers[name];
        if (value === undefined || value === '') return [];
        const known = value.replaceAll(traceId, 'TRACE').replaceAll('a2fb4a1d1a96d312', 'SPAN');
        return [
          [
            name,
            known.replaceAll(/[0-9a-f]{32}/g, 'NEW-TRACE').replaceAll(/[0-9a-f]{16}/g, 'NEW-SPAN'),
          ],
        ];
      });
      const reason = headers['x-request-id']?.[14] ?? '';
      return Object.fromEntries([...seen, ['reason', reason]]) as Record<string, string>;
    }

    test.for(ASKED)('pass on the same: %o', async (asked) => {
      const [envoy, ours] = await Promise.all(
        (['envoy', 'waypoint'] as const).map((name) => ask(ports[name], asked)),
      );
      expect(ours!.status).toBe(envoy!.status);
      if (ours!.status !== 418) expect(passedOn(ours!.body)).toEqual(passedOn(envoy!.body));
    });

    test('tell the same of the same requests', { timeout: 40_000 }, async () => {
      const told = (name: 'envoy' | 'waypoint') =>
        sent[name].flatMap((one) => spansIn(one, tracer));
      const sampled = { zipkin: 12, opentelemetry: 8 }[tracer];
      await eventually(
        () => told('envoy').length >= sampled && told('waypoint').length >= sampled,
        {
          timeoutMs: 20_000,
          what: 'spans of both',
        },
      );
      const inOrder = (name: 'envoy' | 'waypoint') =>
        told(name)
          .map((span) => ({
            name: span.name,
            isChild: span.parentId !== '',
            tags: comparable(span.tags),
          }))
          .map((span) => JSON.stringify(span))
          .toSorted()
          .map((line) => JSON.parse(line) as object);
      expect(inOrder('waypoint')).toEqual(inOrder('envoy'));
      const [first] = sent.waypoint;
      const [theirs] = sent.envoy;
      expect([
        first!.url,
        first!.headers.host,
        first!.headers['x-key'],
        first!.headers['content-type'],
      ]).toEqual([
        theirs!.url,
        theirs!.headers.host,
        theirs!.headers['x-key'],
        theirs!.headers['content-type'],
      ]);
    });
  });
});
