import { once } from 'node:events';
import {
  createServer as createHttp2Server,
  type Http2Server,
  type ServerHttp2Stream,
} from 'node:http2';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { buffer } from 'node:stream/consumers';
import {
  CheckResponseSchema,
  type DeniedHttpResponseSchema,
} from '@aquifer/wire/gen/envoy/service/auth/v3_pb';
import type { StatusCode } from '@aquifer/wire/gen/envoy/type/v3_pb';
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { expect, onTestFinished, test } from 'vitest';
import { SPEAKS_HTTP2 } from '../../../../test/fixtures/static-proxy.ts';
import { Engine } from '../../../../test/fixtures/waypoint-engine.ts';

const ROUTER = {
  name: 'envoy.filters.http.router',
  typed_config: {
    '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router',
  },
};

function asking(config: object): object {
  const type = 'type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz';
  const typed = { '@type': type, transport_api_version: 'V3', ...config };
  return { name: 'envoy.filters.http.ext_authz', typed_config: typed };
}

const GRPC = { grpc_service: { envoy_grpc: { cluster_name: 'check' }, timeout: '2s' } };
const HTTP = {
  http_service: { server_uri: { uri: 'http://check', cluster: 'check', timeout: '2s' } },
};

async function portOf(server: Server | Http2Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

interface Asked {
  /** What it hears. */
  readonly asked?: string[];
  /** Bytes after which it answers; default: 1. */
  readonly after?: number;
}

/** Answers what it is asked with these bytes. */
async function answering(answer: Buffer | string, { asked = [], after = 1 }: Asked = {}) {
  const server = createServer((socket) => {
    let bytes = 0;
    socket
      .on('error', () => undefined)
      .on('data', (chunk) => {
        asked.push(chunk.toString('latin1'));
        bytes += chunk.length;
        if (bytes >= after) socket.write(answer);
      });
  });
  return portOf(server);
}

/** Answers every check with this. */
async function checking(answer: MessageInitShape<typeof CheckResponseSchema>): Promise<Cluster> {
  const bytes = toBinary(CheckResponseSchema, create(CheckResponseSchema, answer));
  const frame = Buffer.alloc(5 + bytes.length);
  frame.writeUInt32BE(bytes.length, 1);
  frame.set(bytes, 5);
  const server = createHttp2Server().on('stream', (stream: ServerHttp2Stream) => {
    stream.respond({ ':status': 200 }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' })).end(frame);
  });
  return { port: await portOf(server), options: SPEAKS_HTTP2 };
}

type Cluster = Parameters<Engine['configure']>[0][string];

/** A waypoint that asks `check` about requests to an origin. */
async function serving(check: Cluster, config: object, origin: Asked = {}): Promise<Engine> {
  const port = await answering('HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npassed', origin);
  const engine = new Engine();
  await engine.listen();
  onTestFinished(() => engine.close());
  const routes = [{ match: { prefix: '/' }, route: { cluster: 'origin', timeout: '0s' } }];
  const manager = { http_filters: [asking(config), ROUTER] };
  engine.configure({ origin: port, check }, { routes, manager });
  return engine;
}

async function ask(engine: Engine, request: string): Promise<string> {
  const socket = connect(engine.port, '127.0.0.1');
  socket.end(request);
  return (await buffer(socket)).toString('latin1');
}

const GET = 'GET / HTTP/1.1\r\nHost: shop\r\nx-user: mallory\r\n\r\n';
const header = (key: string, value: string) => ({ header: { key, value } });

type Denial = MessageInitShape<typeof DeniedHttpResponseSchema>;

function denial(value: Denial): MessageInitShape<typeof CheckResponseSchema> {
  return { status: { code: 7 }, httpResponse: { case: 'deniedResponse', value } };
}

/** Of the fields of a head. */
function namesOf(message: string): string[] {
  const [head = ''] = message.split('\r\n\r\n', 1);
  return head
    .split(/[\r\n]+/)
    .slice(1)
    .map((line) => line.split(':', 1)[0]!);
}

const FIELDS_OF_NO_MESSAGE = [
  ['x-a', 'b\r\nx-evil: 1'],
  ['x-a', 'b\0'],
  ['x-a\r\nx-evil', '1'],
  ['x-a: x-evil', '1'],
  ['transfer-encoding ', 'chunked'],
  ['', 'x-evil'],
] as const;

test.for(FIELDS_OF_NO_MESSAGE)(
  'a denial is told without field %j: %j (L144)',
  async ([name, value]) => {
    const headers = [header(name, value), header('x-why', 'because')];
    const check = await checking(denial({ headers }));
    const answer = await ask(await serving(check, GRPC), GET);
    expect(namesOf(answer)).toEqual(['x-why', 'date', 'server', 'content-length']);
    expect(answer).toMatch(/^HTTP\/1.1 403 /);
  },
);

test.for(FIELDS_OF_NO_MESSAGE)('nothing passes with field %j: %j (L144)', async ([name, text]) => {
  for (const field of ['headers', 'responseHeadersToAdd'] as const) {
    const value = { [field]: [header(name, text)] };
    const check = await checking({ httpResponse: { case: 'okResponse', value } });
    const asked: string[] = [];
    const answer = await ask(await serving(check, GRPC, { asked }), GET);
    expect(answer).toMatch(/^HTTP\/1.1 403 /);
    expect(asked).toEqual([]);
  }
});

test('bytes of a field are those of its text, none of them a line break (L144)', async () => {
  const check = await checking({
    httpResponse: {
      case: 'okResponse',
      value: { headers: [header('x-user', 'Zoë\u010dĊx-evil: 1')] },
    },
  });
  const asked: string[] = [];
  await ask(await serving(check, GRPC, { asked }), GET);
  const sent = Buffer.from(asked.join(''), 'latin1').toString();
  expect(namesOf(sent)).not.toContain('x-evil');
  expect(sent).toContain('x-user: Zoë\u010dĊx-evil: 1\r\n');
});

test.for([99, 100, 101, 600, 1000])('a denial with status %i is a 403 (L144)', async (code) => {
  const check = await checking(denial({ status: { code: code as StatusCode }, body: 'no' }));
  expect(await ask(await serving(check, GRPC), GET)).toMatch(/^HTTP\/1.1 403 /);
});

test('a denial comes with the bytes that it was given (L144)', async () => {
  const body = Buffer.from([0x1f, 0x8b, 0, 0xff, 0xc3, 0xb6]);
  const head = `HTTP/1.1 401 No\r\ncontent-encoding: gzip\r\ncontent-length: ${body.length}\r\n\r\n`;
  const check = await answering(Buffer.concat([Buffer.from(head), body]));
  const answer = await ask(await serving(check, HTTP), GET);
  expect(answer.endsWith(`\r\n\r\n${body.toString('latin1')}`)).toBe(true);
});

test('of a body as large as is kept the beginning is asked about, and all of it goes on (L145)', async () => {
  const limit = { max_request_bytes: 1024 * 1024, allow_partial_message: true };
  const check = await answering('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
  const bytes = 3_000_000;
  const config = { ...HTTP, with_request_body: limit };
  const engine = await serving(check, config, { after: bytes });
  const head = `POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: ${bytes}\r\n\r\n`;
  expect(await ask(engine, head + 'x'.repeat(bytes))).toMatch(/^HTTP\/1.1 200 /);
});

test('an answer in very many pieces is none: each of them would be held', async () => {
  const pieces = '1\r\nx\r\n'.repeat(20_000);
  const head = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n';
  const check = await answering(`${head}${pieces}0\r\n\r\n`);
  expect(await ask(await serving(check, HTTP), GET)).toMatch(/^HTTP\/1.1 403 /);
});
