import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import {
  connect as connectHttp2,
  constants,
  createServer as createHttp2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo, Server, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { eventually } from '../../../../test/fixtures/eventually.ts';
import { SPEAKS_HTTP2 } from '../../../../test/fixtures/static-proxy.ts';
import { Engine } from '../../../../test/fixtures/waypoint-engine.ts';
import { runs } from '../../../../test/fuzz/runs.ts';
import type { Cluster } from '../clusters/cluster.ts';
import { heldByThread } from './held-bytes.ts';

/** Whatever clients, hosts and the control plane do to each other, nothing stays counted when all of them have gone. */

const HOST_DOES = [
  'answer',
  'early',
  'never',
  '503',
  'cut',
  'reset',
  'lose',
  'goaway',
  'refuse',
  'agree',
] as const;

interface Call {
  readonly over: 'HTTP/1.1' | 'HTTP/2';
  readonly asks: 'GET' | 'upload' | 'half an upload' | 'upgrade';
  readonly to: 'http1' | 'http2' | 'nowhere';
  readonly route: 'plain' | 'retried' | 'copied' | 'delayed';
  readonly host: (typeof HOST_DOES)[number];
  readonly afterMs: number;
  /** Null for a client that stays. */
  readonly leavesAfterMs: number | null;
  readonly meanwhile: 'nothing' | 'reconfigure' | 'remove cluster' | 'lose session';
}

const aCall = fc.record<Call>({
  over: fc.constantFrom('HTTP/1.1', 'HTTP/2'),
  asks: fc.constantFrom('GET', 'upload', 'half an upload', 'upgrade'),
  to: fc.constantFrom('http1', 'http2', 'http1', 'http2', 'nowhere'),
  route: fc.constantFrom('plain', 'retried', 'copied', 'delayed'),
  host: fc.constantFrom(...HOST_DOES),
  afterMs: fc.integer({ min: 0, max: 30 }),
  leavesAfterMs: fc.option(fc.integer({ min: 0, max: 60 })),
  meanwhile: fc.constantFrom(
    'nothing',
    'nothing',
    'nothing',
    'reconfigure',
    'remove cluster',
    'lose session',
  ),
});

const BODY = Buffer.alloc(300_000, 'x');

/** Two hosts that do what they are asked to. */
class Hosts {
  readonly #sockets = new Set<Duplex>();
  readonly http1 = createServer((asked, answer) => this.#overHttp1(asked, answer));
  readonly http2 = createHttp2Server({
    settings: { enableConnectProtocol: true, maxConcurrentStreams: 3 },
  });

  async listen(): Promise<void> {
    this.http1.on('upgrade', (asked: IncomingMessage, socket: Socket) => {
      socket.on('error', () => undefined).resume();
      const agreed = 'HTTP/1.1 101 Yes\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello';
      const isAgreed = asked.headers['x-host'] === 'agree';
      socket.write(isAgreed ? agreed : 'HTTP/1.1 400 No\r\ncontent-length: 0\r\n\r\n');
      if (asked.headers['x-host'] === 'cut') socket.destroy();
    });
    this.http2.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) =>
      this.#overHttp2(stream, String(headers['x-host']), Number(headers['x-after'])),
    );
    for (const server of [this.http1, this.http2] as Server[]) {
      server.on('connection', (socket) => {
        this.#sockets.add(socket.on('error', () => undefined));
      });
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
    }
    this.http2.on('sessionError', () => undefined);
  }

  #overHttp1(asked: IncomingMessage, answer: ServerResponse): void {
    const does = String(asked.headers['x-host']);
    asked.on('error', () => undefined);
    if (does !== 'never') asked.resume();
    const act = (): void => {
      if (does === '503') answer.writeHead(503).end();
      else if (does === 'cut') {
        answer.writeHead(200, { 'content-length': 10 }).write('five ');
        setTimeout(() => asked.socket.destroy(), 2);
      } else if (does === 'lose' || does === 'goaway') asked.socket.destroy();
      else if (does === 'reset' || does === 'refuse') asked.socket.resetAndDestroy();
      else if (does !== 'never') answer.end(BODY);
    };
    if (does === 'early') act();
    else setTimeout(act, Number(asked.headers['x-after']));
  }

  #overHttp2(stream: ServerHttp2Stream, does: string, afterMs: number): void {
    stream.on('error', () => undefined);
    if (does !== 'never') stream.resume();
    const act = (): void => {
      if (stream.destroyed) return;
      if (does === '503') stream.respond({ ':status': 503 }, { endStream: true });
      else if (does === 'cut') {
        stream.respond({ ':status': 200 });
        stream.write('five ');
        setTimeout(() => stream.close(constants.NGHTTP2_INTERNAL_ERROR), 2);
      } else if (does === 'lose') stream.session?.destroy();
      else if (does === 'goaway') stream.session?.goaway(0, stream.id! - 1);
      else if (does === 'reset') stream.close(constants.NGHTTP2_INTERNAL_ERROR);
      else if (does === 'refuse') stream.close(constants.NGHTTP2_REFUSED_STREAM);
      else if (does !== 'never') {
        stream.respond({ ':status': 200 });
        stream.end(BODY);
      }
    };
    if (does === 'early') act();
    else setTimeout(act, afterMs);
  }

  close(): void {
    this.http1.close();
    this.http2.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

const ROUTER = {
  name: 'envoy.filters.http.router',
  typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' },
};

/** Only what has the header waits. */
const DELAY = {
  name: 'envoy.filters.http.fault',
  typed_config: {
    '@type': 'type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault',
    headers: [{ name: 'x-delayed', present_match: true }],
    delay: { fixed_delay: '0.02s', percentage: { numerator: 100 } },
  },
};

class Storm {
  readonly engine = new Engine();
  readonly hosts = new Hosts();
  readonly clusters = new Set<Cluster>();
  #serial = 0;

  async begin(): Promise<void> {
    await this.hosts.listen();
    await this.engine.listen();
    this.configure();
  }

  configure(): void {
    const thresholds = [
      { max_connections: 2, max_requests: 6, max_pending_requests: 4, max_retries: 2 },
    ];
    const breakers = { circuit_breakers: { thresholds } };
    const portOf = (server: unknown): number => ((server as Server).address() as AddressInfo).port;
    const route = (to: string, kind: string, more: object) => ({
      match: { prefix: `/${to}/${kind}` },
      route: { cluster: to, timeout: '0s', ...more },
    });
    const retry_policy = {
      retry_on: '5xx,reset,connect-failure,refused-stream',
      num_retries: 2,
      per_try_timeout: '0.05s',
      retry_back_off: { base_interval: '0.01s' },
    };
    const request_mirror_policies = [{ cluster: 'http1' }, { cluster: 'http2' }];
    const routes = ['http1', 'http2', 'nowhere'].flatMap((to) => [
      route(to, 'retried', { retry_policy }),
      route(to, 'copied', { request_mirror_policies, timeout: '0.1s' }),
      route(to, '', {}),
    ]);
    // Another one each time, so that what is open is judged again.
    this.#serial += 1;
    this.engine.configure(
      {
        http1: { port: portOf(this.hosts.http1), options: breakers },
        http2: { port: portOf(this.hosts.http2), options: { ...SPEAKS_HTTP2, ...breakers } },
        nowhere: { port: 1, options: breakers },
      },
      {
        routes,
        manager: {
          upgrade_configs: [{ upgrade_type: 'websocket' }],
          http2_protocol_options: { max_concurrent_streams: 100 + this.#serial },
          http_filters: [DELAY, ROUTER],
        },
      },
    );
    for (const name of ['http1', 'http2', 'nowhere']) {
      this.clusters.add(this.engine.deps.config.clusters.get(name)!);
    }
  }

  async call(call: Call): Promise<void> {
    const headers = {
      'x-host': call.host,
      'x-after': String(call.afterMs),
      ...(call.route === 'delayed' && { 'x-delayed': '1' }),
    };
    const path = `/${call.to}/${call.route}`;
    const leave =
      call.over === 'HTTP/1.1'
        ? this.#overHttp1(call, path, headers)
        : await this.#overHttp2(call, path, headers);
    if (call.meanwhile === 'reconfigure') this.configure();
    if (call.meanwhile === 'remove cluster') {
      this.engine.deps.config.clusters.removeCluster(call.to);
      this.configure();
    }
    await delay(call.leavesAfterMs ?? 150);
    leave();
  }

  #overHttp1(call: Call, path: string, headers: object): () => void {
    const isUpgrade = call.asks === 'upgrade';
    const sent = request({
      port: this.engine.port,
      host: '127.0.0.1',
      agent: false,
      path,
      method: call.asks === 'GET' || isUpgrade ? 'GET' : 'POST',
      headers: { ...headers, ...(isUpgrade && { connection: 'Upgrade', upgrade: 'websocket' }) },
    });
    sent.on('error', () => undefined);
    sent.on('response', (answer) => answer.on('error', () => undefined).resume());
    sent.on('upgrade', (_answer, socket) => socket.on('error', () => undefined).resume());
    this.#send(call, sent);
    return () =>
      void (call.meanwhile === 'lose session' ? sent.socket?.resetAndDestroy() : sent.destroy());
  }

  async #overHttp2(call: Call, path: string, headers: object): Promise<() => void> {
    const session = connectHttp2(`http://127.0.0.1:${this.engine.port}`);
    session.on('error', () => undefined);
    await once(session, 'remoteSettings');
    const isUpgrade = call.asks === 'upgrade';
    const stream = session.request(
      {
        ...headers,
        ':path': path,
        ':method': isUpgrade ? 'CONNECT' : call.asks === 'GET' ? 'GET' : 'POST',
        ...(isUpgrade && { ':protocol': 'websocket', ':scheme': 'http', ':authority': 'shop' }),
      },
      { endStream: false },
    );
    stream.on('error', () => undefined);
    // Some read nothing of their answer.
    if (call.afterMs % 3 > 0) stream.resume();
    this.#send(call, stream);
    return () => {
      if (call.meanwhile !== 'lose session') stream.close(constants.NGHTTP2_CANCEL);
      setTimeout(() => session.destroy(), call.meanwhile === 'lose session' ? 0 : 20);
    };
  }

  #send({ asks }: Call, to: { write(bytes: Buffer): void; end(): void }): void {
    if (asks === 'upload' || asks === 'half an upload') to.write(BODY);
    if (asks === 'upload' || asks === 'GET') to.end();
    else if (asks === 'upgrade') to.write(Buffer.from('early'));
  }

  /** What is still counted when everybody has gone. */
  async end(): Promise<string> {
    await delay(200);
    this.hosts.close();
    await eventually(() => this.#counted() === 'nothing', {
      timeoutMs: 3_000,
      intervalMs: 50,
      what: 'nothing to be counted',
    }).catch(() => undefined);
    this.engine.close();
    return this.#counted();
  }

  #counted(): string {
    const { connections, config } = this.engine.deps;
    const statuses = config.clusters
      .statuses()
      .flatMap(({ name, hosts }) =>
        hosts.map(({ active }) => ({ what: `requests to ${name}`, count: active })),
      );
    const counts = [
      ...statuses,
      { what: 'connections', count: connections.size },
      { what: 'bytes', count: heldByThread() },
    ];
    const wrong = counts.filter(({ count }) => count !== 0);
    const texts = [...this.clusters].flatMap(brokenBy);
    return (
      [...texts, ...wrong.map(({ what, count }) => `${count} ${what}`)].join('; ') || 'nothing'
    );
  }
}

/** What a cluster's breakers do not allow one of, or allow two of where one is allowed. */
function brokenBy({ name, breakers }: Cluster): readonly string[] {
  const retries = { kind: 'count', retries: 1 } as const;
  breakers.limits = { connections: 1, pending: 1, requests: 1, retries };
  const checks = [
    ['connections', () => breakers.admitConnection(), () => breakers.connectionClosed()],
    ['pending', () => breakers.admitPending(), () => breakers.pendingEnded()],
    ['requests', () => breakers.admitRequest(), () => breakers.requestEnded()],
    ['retries', () => breakers.admitRetry(), () => breakers.retryEnded()],
  ] as const;
  return checks.flatMap(([what, admit, giveBack]) => {
    const admitted = [admit(), admit()];
    for (const isAdmitted of admitted) if (isAdmitted) giveBack();
    return admitted[0] && !admitted[1] ? [] : [`${what} of ${name}: ${admitted.join()}`];
  });
}

test('after any storm nothing is counted any more', { timeout: 120_000 }, async () => {
  const property = fc.asyncProperty(
    fc.array(aCall, { minLength: 10, maxLength: 60 }),
    async (calls) => {
      const storm = new Storm();
      await storm.begin();
      await Promise.all(calls.map((call) => storm.call(call)));
      expect(await storm.end()).toBe('nothing');
    },
  );
  await fc.assert(property, { ...runs(8), endOnFailure: true });
});
