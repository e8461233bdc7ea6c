import { once } from 'node:events';
import { createServer, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { ExportLogsServiceRequestSchema } from '@aquifer/wire/gen/opentelemetry/proto/collector/logs/v1_pb';
import { ExportTraceServiceRequestSchema } from '@aquifer/wire/gen/opentelemetry/proto/collector/trace/v1_pb';
import type { KeyValue } from '@aquifer/wire/gen/opentelemetry/proto/common/v1_pb';
import { fromBinary } from '@bufbuild/protobuf';
import { describe, expect, onTestFinished, test } from 'vitest';
import { exposeTelemetry } from '../../../packages/waypoint/src/telemetry/exposition.ts';
import { serviceOf } from '../../fixtures/derived-waypoint.ts';
import { eventually } from '../../fixtures/eventually.ts';
import type { ApiObject } from '../../fixtures/scripted-kubernetes-api.ts';
import { type Shop, startShop } from './shop.ts';

/** What Telemetries make a waypoint tell: from the object to lines, labels, and spans that a collector gets. */

const PROVIDERS = `
extensionProviders:
- {name: lines, envoyFileAccessLog: {logFormat: {text: '%REQ(:PATH)% %RESPONSE_CODE%'}}}
- {name: errors, envoyFileAccessLog: {path: /dev/stderr, logFormat: {labels: {code: '%RESPONSE_CODE%'}}}}
- {name: zip, zipkin: {service: v3.shop.svc.cluster.local, port: 80, maxTagLength: 8}}
- {name: otel, opentelemetry: {service: collector.shop.svc.cluster.local, port: 80, grpc: {initialMetadata: [{name: X-Key, value: abc}]}, resourceDetectors: {environment: {}}}}
- {name: records, envoyOtelAls: {service: collector.shop.svc.cluster.local, port: 80, logFormat: {text: '%REQ(:PATH)%', labels: {code: '%RESPONSE_CODE%'}}}}
`;

function meshConfig(more = ''): ApiObject {
  return {
    apiVersion: 'v1',
    kind: 'MeshConfigMap',
    metadata: { namespace: 'istio-system', name: 'istio', uid: 'mesh' },
    data: { mesh: PROVIDERS + more },
  } as ApiObject;
}

function telemetry(spec: object, name = 'told', namespace = 'shop'): ApiObject {
  return {
    apiVersion: 'telemetry.istio.io/v1',
    kind: 'Telemetry',
    metadata: { namespace, name, uid: `telemetry-${name}` },
    spec,
  };
}

const CART = { targetRefs: [{ group: '', kind: 'Service', name: 'cart' }] };
const WAYPOINT = {
  targetRefs: [{ group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'waypoint' }],
};
const to = (name: string) => ({ providers: [{ name }] });

/** Of the lines that a request adds. */
async function linesOf(
  shop: Shop,
  path: string,
  service: 'cart' | 'v1' = 'cart',
): Promise<string[]> {
  const { lines, errorLines } = shop.waypoint.engine;
  const before = [lines.length, errorLines.length] as const;
  await shop.ask(path, { to: service });
  await new Promise((resolve) => setTimeout(resolve, 20));
  return [...lines.slice(before[0]), ...errorLines.slice(before[1])];
}

describe('access logs', () => {
  test('are written by the configuration of the mesh, and not without it', async () => {
    expect(await linesOf(await startShop([meshConfig()]), '/a')).toEqual([]);
    const said = "accessLogFile: /dev/stdout\naccessLogFormat: '%REQ(:METHOD)%'\n";
    expect(await linesOf(await startShop([meshConfig(said)]), '/a')).toEqual(['GET\n']);
  });

  test('are turned off and on, by providers and for one Gateway or Service (L177, P122)', async () => {
    const all = 'accessLogFile: /dev/stdout\n';
    const off = telemetry({ accessLogging: [{ ...to('envoy'), disabled: true }] });
    expect(await linesOf(await startShop([meshConfig(all), off]), '/a')).toEqual([]);
    const on = telemetry({ ...WAYPOINT, accessLogging: [to('lines')] });
    expect(await linesOf(await startShop([meshConfig(), on]), '/a')).toEqual(['/a 200\n']);
    const one = await startShop([
      meshConfig(),
      telemetry({
        ...CART,
        accessLogging: [{ providers: [{ name: 'lines' }, { name: 'errors' }] }],
      }),
    ]);
    expect(await linesOf(one, '/a')).toEqual(['/a 200\n', '{"code":200}\n']);
    expect(await linesOf(one, '/a', 'v1')).toEqual([]);
  });

  test('are of what an expression holds for (L178)', async () => {
    const expression = "response.code >= 400 || request.path == '/filter-test'";
    const shop = await startShop([
      meshConfig(),
      telemetry({ ...WAYPOINT, accessLogging: [{ ...to('lines'), filter: { expression } }] }),
    ]);
    expect(await linesOf(shop, '/filter-test')).toEqual(['/filter-test 200\n']);
    expect(await linesOf(shop, '/other')).toEqual([]);
    shop.origins.cart.turns.push({ status: 503 });
    expect(await linesOf(shop, '/other')).toEqual(['/other 503\n']);
  });

  test('are not written where their expression is none, and the waypoint serves on', async () => {
    const filter = { expression: 'response.code >' };
    const shop = await startShop([
      meshConfig(),
      telemetry({ ...WAYPOINT, accessLogging: [{ ...to('lines'), filter }] }),
    ]);
    expect(await linesOf(shop, '/a')).toEqual([]);
    expect((await shop.ask('/a')).status).toBe(200);
  });
});

describe('metrics', () => {
  const metricsOf = ({ waypoint }: Shop): string[] => {
    const { telemetry: counted } = waypoint.engine.deps;
    const text = exposeTelemetry(counted.snapshot(), counted.passed.snapshot(), 'me');
    return text.split('\n').filter((line) => !line.startsWith('#'));
  };

  test('of one Service have the labels that a Telemetry asks for (L176)', async () => {
    const tagOverrides = {
      method: { value: 'request.method' },
      missing: { value: "request.headers['x-none']" },
      source_app: { operation: 'REMOVE' },
    };
    const overrides = [
      { match: { metric: 'REQUEST_COUNT', mode: 'CLIENT_AND_SERVER' }, tagOverrides },
      { match: { metric: 'REQUEST_DURATION' }, disabled: true },
    ];
    const shop = await startShop([
      meshConfig('defaultProviders: {metrics: [prometheus]}\n'),
      telemetry({ ...CART, metrics: [{ ...to('prometheus'), overrides }] }),
    ]);
    for (const method of ['GET', 'POST', 'GET']) await shop.ask('/', { method });
    await shop.ask('/', { to: 'v1' });
    const lines = metricsOf(shop);
    const of = (name: string, service: string): string[] =>
      lines.filter((line) => line.startsWith(`${name}{`) && line.includes(`"${service}.shop.`));
    const counts = of('istio_requests_total', 'cart');
    expect(counts).toHaveLength(2);
    expect(counts.join()).toMatch(/method="GET",missing="unknown"\} 2/);
    expect(counts.join()).toMatch(/method="POST",missing="unknown"\} 1/);
    expect(counts.join()).not.toContain('source_app=');
    expect(of('istio_request_duration_milliseconds_count', 'cart')).toEqual([]);
    expect(of('istio_request_bytes_count', 'cart').join()).toContain('source_app="client"');
    const others = of('istio_requests_total', 'v1').join();
    expect(others).toContain('source_app="client"');
    expect(others).not.toContain('method=');
    expect(of('istio_request_duration_milliseconds_count', 'v1')).toHaveLength(1);
  });

  test('are not counted where all are disabled', async () => {
    const overrides = [{ match: { metric: 'ALL_METRICS' }, disabled: true }];
    const shop = await startShop([
      meshConfig(),
      telemetry({ ...WAYPOINT, metrics: [{ ...to('prometheus'), overrides }] }),
    ]);
    await shop.ask('/');
    expect(metricsOf(shop).filter((line) => line.startsWith('istio_request'))).toEqual([]);
  });
});

interface ZipkinSpan {
  readonly traceId: string;
  readonly id: string;
  readonly parentId?: string;
  readonly name: string;
  readonly kind: string;
  readonly localEndpoint: { readonly serviceName: string };
  readonly tags: Readonly<Record<string, string>>;
}

async function zipkinSpans(shop: Shop): Promise<ZipkinSpan[]> {
  const { seen } = shop.origins.v3;
  shop.waypoint.engine.exporters.flush();
  await eventually(() => seen.length > 0, { what: 'spans' });
  expect(seen[0]).toMatchObject({ method: 'POST', path: '/api/v2/spans' });
  return seen.flatMap(({ body }) => JSON.parse(body) as ZipkinSpan[]);
}

const traced = (more: object = {}) =>
  telemetry({
    ...WAYPOINT,
    tracing: [{ ...to('zip'), randomSamplingPercentage: 100, ...more }],
  });

describe('traces', () => {
  test('go to Zipkin, and the next one hears of them (L179)', async () => {
    const customTags = {
      kind: { literal: { value: 'shop' } },
      user: { header: { name: 'x-user', defaultValue: 'none' } },
      host: { environment: { name: 'HOSTNAME' } },
      code: { formatter: { value: '%RESPONSE_CODE%' } },
      nothing: { formatter: { value: '%REQ(X-NONE)%' } },
    };
    const shop = await startShop([meshConfig(), traced({ customTags })]);
    const { seen } = await shop.ask('/a-long-path', { headers: { 'x-user': 'ada' } });
    const [span] = await zipkinSpans(shop);
    expect(span).toMatchObject({
      name: 'cart.shop.svc.cluster.local:80/*',
      kind: 'SERVER',
      localEndpoint: { serviceName: 'waypoint.shop' },
      tags: {
        'http.method': 'GET',
        'http.status_code': '200',
        'http.url': 'http://shop.test/a-long-',
        upstream_cluster: 'inbound-vip|80|http|cart.shop.svc.cluster.local',
        'guid:x-request-id': seen?.headers['x-request-id']?.[0],
        'istio.namespace': 'shop',
        'istio.source_workload': 'client',
        kind: 'shop',
        user: 'ada',
        host: 'waypoint-0',
        code: '200',
      },
    });
    expect(span!.tags).not.toHaveProperty('nothing');
    expect(span!.traceId).toMatch(/^[0-9a-f]{32}$/);
    expect(span!.parentId).toBeUndefined();
    expect(seen?.headers).toMatchObject({
      'x-b3-traceid': [span!.traceId],
      'x-b3-spanid': [span!.id],
      'x-b3-sampled': ['1'],
    });
    expect(seen?.headers['x-request-id']?.[0]?.[14]).toBe('9');
  });

  test('go on from the span of the client, as it has decided', async () => {
    const shop = await startShop([meshConfig(), traced({ randomSamplingPercentage: 0 })]);
    const traceId = '463ac35c9f6413ad48485a3953bb6124';
    const b3 = { 'x-b3-traceid': traceId, 'x-b3-spanid': 'a2fb4a1d1a96d312', 'x-b3-sampled': '1' };
    const { seen } = await shop.ask('/', { headers: b3 });
    const [span] = await zipkinSpans(shop);
    expect(span).toMatchObject({ traceId, parentId: 'a2fb4a1d1a96d312' });
    expect(seen?.headers).toMatchObject({
      'x-b3-traceid': [traceId],
      'x-b3-spanid': [span!.id],
      'x-b3-parentspanid': ['a2fb4a1d1a96d312'],
    });
  });

  test('that are not sampled are told to the next one, and to nobody else', async () => {
    const shop = await startShop([meshConfig(), traced({ randomSamplingPercentage: 0 })]);
    const { seen } = await shop.ask('/');
    expect(seen?.headers['x-b3-sampled']).toEqual(['0']);
    shop.waypoint.engine.exporters.flush();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(shop.origins.v3.seen).toEqual([]);
  });

  test.for<[string, object]>([
    ['reports nothing', { disableSpanReporting: true }],
    ['names a provider of logs', { providers: [{ name: 'lines' }] }],
  ])('are not made where a Telemetry %s', async ([, more]) => {
    const shop = await startShop([meshConfig(), traced(more)]);
    const { seen } = await shop.ask('/');
    expect(seen?.headers).not.toHaveProperty('x-b3-traceid');
  });

  test('are lost, and traffic is not, where nobody takes them', async () => {
    const shop = await startShop([meshConfig(), traced()]);
    shop.origins.v3.turns.push({ status: 500 });
    expect((await shop.ask('/')).status).toBe(200);
    shop.waypoint.engine.exporters.flush();
    const { lost } = shop.waypoint.engine;
    await eventually(() => lost.length > 0, { what: 'a loss that is said' });
    expect(lost).toEqual([['outbound|80||v3.shop.svc.cluster.local', 1]]);
  });
});

interface Received {
  readonly path: string;
  readonly key: string | undefined;
  readonly message: Uint8Array;
}

/** Takes what is sent by gRPC, one message a call. */
async function startCollector() {
  const received: Received[] = [];
  const server = createServer();
  server.on('stream', (stream: ServerHttp2Stream, headers) => {
    void buffer(stream).then((body) => {
      const key = headers['x-key'] as string | undefined;
      received.push({ path: String(headers[':path']), key, message: body.subarray(5) });
      stream.respond({ 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.end(Buffer.alloc(5));
    });
  });
  server.listen(0, '127.0.0.77');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const ports = [{ port: 80, name: 'grpc' }];
  const service = serviceOf('collector', '10.96.0.77', { ip: '127.0.0.77', port }, ports);
  return { received, service };
}

function tagsOf(values: readonly KeyValue[]): Record<string, unknown> {
  return Object.fromEntries(values.map(({ key, value }) => [key, value?.value.value]));
}

describe('to a collector of OpenTelemetry', () => {
  test('go spans, in the context of W3C', async () => {
    const { received, service } = await startCollector();
    const tracing = [{ ...to('otel'), randomSamplingPercentage: 100 }];
    const shop = await startShop([...service, meshConfig(), telemetry({ ...WAYPOINT, tracing })]);
    const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
    const headers = { traceparent: `00-${traceId}-00f067aa0ba902b7-01`, tracestate: 'a=b' };
    shop.origins.cart.turns.push({ status: 500 });
    const { seen } = await shop.ask('/otel', { headers });
    shop.waypoint.engine.exporters.flush();
    await eventually(() => received.length > 0, { what: 'spans' });
    const [{ path, key, message }] = received as [Received];
    expect(path).toBe('/opentelemetry.proto.collector.trace.v1.TraceService/Export');
    expect(key).toBe('abc');
    const [resource] = fromBinary(ExportTraceServiceRequestSchema, message).resourceSpans;
    expect(tagsOf(resource!.resource!.attributes)).toMatchObject({
      'service.name': 'waypoint.shop',
      region: 'r1',
    });
    const span = resource!.scopeSpans[0]!.spans[0]!;
    expect(Buffer.from(span.traceId).toString('hex')).toBe(traceId);
    expect(Buffer.from(span.parentSpanId).toString('hex')).toBe('00f067aa0ba902b7');
    expect(span).toMatchObject({
      name: 'cart.shop.svc.cluster.local:80/*',
      traceState: 'a=b',
      status: { code: 2 },
    });
    expect(tagsOf(span.attributes)).toMatchObject({ 'http.status_code': '500', error: 'true' });
    const own = Buffer.from(span.spanId).toString('hex');
    expect(seen?.headers.traceparent).toEqual([`00-${traceId}-${own}-01`]);
    expect(seen?.headers.tracestate).toEqual(['a=b']);
  });

  test('go records of logs', async () => {
    const { received, service } = await startCollector();
    const shop = await startShop([
      ...service,
      meshConfig(),
      telemetry({ ...WAYPOINT, accessLogging: [to('records')] }),
    ]);
    await shop.ask('/logged');
    shop.waypoint.engine.exporters.flush();
    await eventually(() => received.length > 0, { what: 'records' });
    const [{ path, message }] = received as [Received];
    expect(path).toBe('/opentelemetry.proto.collector.logs.v1.LogsService/Export');
    const [resource] = fromBinary(ExportLogsServiceRequestSchema, message).resourceLogs;
    const record = resource!.scopeLogs[0]!.logRecords[0]!;
    expect(record.body?.value.value).toBe('/logged');
    expect(tagsOf(record.attributes)).toEqual({ code: '200' });
  });
});
