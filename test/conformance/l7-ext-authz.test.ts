import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import {
  createServer as createHttp2Server,
  type Http2Server,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import { buffer, text } from 'node:stream/consumers';
import { setTimeout } from 'node:timers/promises';
import {
  CheckRequestSchema,
  CheckResponseSchema,
} from '@aquifer/wire/gen/envoy/service/auth/v3_pb';
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  ENVOY,
  httpBootstrap,
  SPEAKS_HTTP2,
  type StaticProxy,
  startStaticProxy,
} from '../fixtures/static-proxy.ts';

/** Somebody else decides whether requests may pass: the same configuration and requests to a real Envoy and to our engine. */

const FILTERS = 'type.googleapis.com/envoy.extensions.filters.http';
const PREFIX = 'istio_ext_authz_';

/** A rule that has requests to a path asked about, as the control plane sends it. */
function marking(id: string, path: string): object {
  const permissions = [{ url_path: { path: { prefix: path } } }];
  const policies = { [id]: { permissions, principals: [{ any: true }] } };
  return {
    name: 'envoy.filters.http.rbac',
    typed_config: {
      '@type': `${FILTERS}.rbac.v3.RBAC`,
      shadow_rules: { action: 'DENY', policies },
      shadow_rules_stat_prefix: `${PREFIX}${id}_`,
    },
  };
}

function asking(id: string, path: string, config: object): object[] {
  const key = `${PREFIX}${id}_shadow_effective_policy_id`;
  const filter = {
    name: `envoy.filters.http.ext_authz`,
    typed_config: {
      '@type': `${FILTERS}.ext_authz.v3.ExtAuthz`,
      transport_api_version: 'V3',
      filter_enabled_metadata: {
        filter: 'envoy.filters.http.rbac',
        path: [{ key }],
        value: { string_match: { prefix: id } },
      },
      ...config,
    },
  };
  return [marking(id, path), filter];
}

const patterns = (...exact: string[]) => ({
  patterns: exact.map((name) => ({ exact: name, ignore_case: true })),
});
const uri = (cluster: string, timeout = '1s') => ({ uri: 'http://check', cluster, timeout });
const http = {
  allowed_headers: patterns('x-token', 'x-ask'),
  http_service: {
    server_uri: uri('check'),
    path_prefix: '/verify',
    authorization_request: { headers_to_add: [{ key: 'x-from', value: 'mesh' }] },
    authorization_response: {
      allowed_upstream_headers: { patterns: [{ prefix: 'x-user' }] },
      allowed_client_headers: patterns('x-why', 'set-cookie'),
      allowed_client_headers_on_success: patterns('x-checked'),
    },
  },
};
const grpc = {
  grpc_service: { envoy_grpc: { cluster_name: 'check-grpc', authority: 'check' }, timeout: '1s' },
};
const beginning = (allowPartial: boolean) => ({
  with_request_body: { max_request_bytes: 8, allow_partial_message: allowPartial },
});

const HTTP_FILTERS = [
  ...asking('http', '/http', http),
  ...asking('any', '/any', {
    http_service: { server_uri: uri('check') },
    allowed_headers: http.allowed_headers,
  }),
  ...asking('open', '/open', { ...http, failure_mode_allow: true }),
  ...asking('closed', '/closed', { ...http, status_on_error: { code: 'ServiceUnavailable' } }),
  ...asking('nobody', '/nobody', { ...http, http_service: { server_uri: uri('nobody') } }),
  ...asking('begun', '/begun', { ...http, ...beginning(true) }),
  ...asking('whole', '/whole', { ...http, ...beginning(false) }),
  ...asking('grpc', '/grpc', grpc),
  ...asking('long', '/long-grpc', { ...grpc, ...beginning(true) }),
  { name: 'envoy.filters.http.router', typed_config: { '@type': `${FILTERS}.router.v3.Router` } },
];

type Headers = Readonly<Record<string, string>>;

/** What the one who is asked has heard since the test began. */
const heard: unknown[] = [];
const seen: unknown[] = [];

function shown(headers: IncomingMessage['headers'], names: readonly string[]): object {
  return Object.fromEntries(names.map((name) => [name, headers[name]]));
}

const HEARD = [
  'host',
  'authorization',
  'x-token',
  'x-secret',
  'x-from',
  'x-envoy-auth-partial-body',
];

/** It does as `x-ask` says. */
function startProvider(): Server {
  return createServer((incoming, response) => {
    void text(incoming).then(async (body) => {
      const { method, url, headers } = incoming;
      heard.push({ method, url, body, ...shown(headers, HEARD) });
      const asked = headers['x-ask'];
      if (asked === 'late') await setTimeout(1500);
      const answer = { 'x-user': 'ann', 'x-checked': 'yes', 'x-why': 'because', 'x-other': 'no' };
      if (asked === 'page') {
        const page = { 'content-type': 'text/html; charset=utf-8' };
        response.writeHead(403, page).end('<p>né €</p>');
      } else if (asked === 'deny') response.writeHead(403, answer).end('not you');
      else if (asked === 'redirect') response.writeHead(302, { ...answer, location: '/in' }).end();
      else if (asked === 'fail') response.writeHead(500).end('oh');
      else response.writeHead(200, answer).end();
    });
  });
}

type CheckAnswer = MessageInitShape<typeof CheckResponseSchema>;

const header = (key: string, value: string) => ({ header: { key, value } });
const GRPC_ANSWERS: Readonly<Record<string, CheckAnswer>> = {
  deny: {
    status: { code: 7 },
    httpResponse: {
      case: 'deniedResponse',
      value: { status: { code: 401 }, body: 'who are you', headers: [header('x-why', 'because')] },
    },
  },
  bare: { status: { code: 16 } },
  name: {
    status: { code: 0 },
    httpResponse: {
      case: 'okResponse',
      value: {
        headers: [header('x-user', 'Zoë €')],
        responseHeadersToAdd: [header('x-name', 'Zoë €')],
      },
    },
  },
  'refuse-name': {
    status: { code: 7 },
    httpResponse: {
      case: 'deniedResponse',
      value: { status: { code: 403 }, headers: [header('x-name', 'Zoë €')] },
    },
  },
  allow: {
    status: { code: 0 },
    httpResponse: {
      case: 'okResponse',
      value: {
        headers: [header('x-user', 'ann')],
        headersToRemove: ['x-secret'],
        responseHeadersToAdd: [header('x-checked', 'yes')],
      },
    },
  },
};

async function answerCheck(stream: ServerHttp2Stream): Promise<void> {
  const { attributes } = fromBinary(CheckRequestSchema, (await buffer(stream)).subarray(5));
  const asked = attributes?.request?.http;
  const { 'x-ask': how = 'allow', 'x-envoy-auth-partial-body': partial } = asked?.headers ?? {};
  heard.push({
    method: asked?.method,
    path: asked?.path,
    host: asked?.host,
    body: asked?.body,
    partial,
    secret: asked?.headers['x-secret'],
  });
  const bytes = toBinary(CheckResponseSchema, create(CheckResponseSchema, GRPC_ANSWERS[how]!));
  const frame = Buffer.alloc(5 + bytes.length);
  frame.writeUInt32BE(bytes.length, 1);
  frame.set(bytes, 5);
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  stream.end(frame);
}

interface Asked {
  readonly method?: string;
  readonly headers?: Headers;
  readonly body?: string;
}

async function ask(port: number, path: string, { method, headers, body = '' }: Asked) {
  const options = { port, host: '127.0.0.1', path, method: method ?? 'GET' };
  const sent = request({ ...options, headers: { host: 'shop:80', 'x-secret': 's', ...headers } });
  sent.end(body);
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  const names = [
    'x-checked',
    'x-why',
    'x-other',
    'x-user',
    'location',
    'content-type',
    'x-name',
    'grpc-status',
    'grpc-message',
  ];
  return {
    status: answer.statusCode,
    headers: shown(answer.headers, names),
    body: await text(answer),
  };
}

let servers: readonly (Server | Http2Server)[] = [];
let proxies: Readonly<Record<'envoy' | 'ours', StaticProxy>>;

describe.skipIf(ENVOY === undefined)('whom Envoy and the waypoint ask', () => {
  beforeAll(async () => {
    const origin = createServer((incoming, response) => {
      void text(incoming).then((body) => {
        seen.push({ body, ...shown(incoming.headers, ['x-user', 'x-secret', 'x-checked']) });
        response.end('passed');
      });
    });
    const provider = startProvider();
    const checks = createHttp2Server();
    checks.on('stream', (stream: ServerHttp2Stream) => void answerCheck(stream));
    servers = [origin, provider, checks];
    const ports = servers.map((server) => {
      server.listen(0, '127.0.0.1');
      return once(server, 'listening').then(() => (server.address() as AddressInfo).port);
    });
    const [toOrigin = 0, toProvider = 0, toChecks = 0] = await Promise.all(ports);
    const clusters = {
      origin: toOrigin,
      check: toProvider,
      'check-grpc': { port: toChecks, options: SPEAKS_HTTP2 },
    };
    const routes = [{ match: { prefix: '/' }, route: { cluster: 'origin', timeout: '0s' } }];
    const start = (name: 'envoy' | 'waypoint') =>
      startStaticProxy(name, (port) =>
        httpBootstrap({ ...clusters, nobody: { load_assignment: { cluster_name: 'nobody' } } }, [
          { port, routes, manager: { http_filters: HTTP_FILTERS } },
        ]),
      );
    const [envoy, ours] = await Promise.all([start('envoy'), start('waypoint')]);
    proxies = { envoy, ours };
  }, 40_000);

  afterAll(async () => {
    await Promise.all(Object.values(proxies ?? {}).map((proxy) => proxy.stop()));
    for (const server of servers) server.close();
  });

  beforeEach(() => {
    heard.length = 0;
    seen.length = 0;
  });

  const asks = (how: string, more: Headers = {}): Asked => ({ headers: { 'x-ask': how, ...more } });

  test.for<readonly [path: string, asked: Asked]>([
    ['/http/a?q=1', asks('allow', { 'x-token': 't', authorization: 'Bearer b' })],
    ['/http/a', asks('deny')],
    ['/http/a', asks('redirect')],
    ['/http/a', asks('page')],
    ['/any/a', asks('page')],
    ['/http/a', asks('fail')],
    ['/http/a', asks('late')],
    ['/http/a', { method: 'POST', body: 'hello', ...asks('allow', { 'x-from': 'client' }) }],
    ['/http/a', { method: 'POST', ...asks('deny', { 'content-type': 'application/grpc' }) }],
    ['/open', asks('fail')],
    ['/open', asks('deny')],
    ['/closed', asks('fail')],
    ['/nobody', {}],
    ['/health', asks('deny')],
    ['/begun', { method: 'POST', body: 'short', ...asks('allow') }],
    ['/begun', { method: 'POST', body: 'much longer than that', ...asks('allow') }],
    ['/begun', asks('allow')],
    ['/whole', { method: 'POST', body: 'short', ...asks('allow') }],
    ['/whole', { method: 'POST', body: 'much longer than that', ...asks('allow') }],
    ['/grpc/a?q=1', asks('allow')],
    ['/grpc/a', asks('deny')],
    ['/grpc/a', asks('bare')],
    ['/grpc/a', asks('name')],
    ['/grpc/a', asks('refuse-name')],
    ['/grpc/a', { method: 'POST', ...asks('deny', { 'content-type': 'application/grpc' }) }],
    ['/long-grpc', { method: 'POST', body: 'much longer than that', ...asks('allow') }],
  ])('%s with %j ends alike (L144, L145, L146, L192, L193)', async ([path, asked]) => {
    const theirs = await ask(proxies.envoy.port, path, asked);
    const expected = { answer: theirs, heard: [...heard], seen: [...seen] };
    heard.length = 0;
    seen.length = 0;
    const answer = await ask(proxies.ours.port, path, asked);
    expect({ answer, heard, seen }).toEqual(expected);
  });
});
