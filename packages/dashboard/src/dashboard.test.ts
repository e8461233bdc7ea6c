import { once } from 'node:events';
import { createServer, request } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { Dashboard } from './dashboard.ts';
import { hostOf, type PageGroup, targetOf } from './pages.ts';

const ADMIN = { namespace: 'istio-system', pod: 'ztunnel-x', port: 15_000 };
const NOBODY = { ...ADMIN, port: 1 };
const SHOP = { name: 'shop', pods: 3, captured: 2, waypoint: 'edge/<own>' };
const GROUPS: PageGroup[] = [
  {
    title: 'Node proxies',
    rows: [
      {
        ...ADMIN,
        node: '<node>',
        state: 'Ready',
        pages: [{ ...ADMIN, title: 'admin', path: '/config_dump' }],
      },
    ],
  },
  { title: 'Waypoints', rows: [] },
];

/** Says what it was asked, and gives back what a WebSocket sends. */
const program = createServer((asked, answer) => {
  const { method, url, headers } = asked;
  void text(asked).then((body) =>
    answer.end(JSON.stringify({ method, url, host: headers.host, origin: headers.origin, body })),
  );
});
const sockets = new WebSocketServer({ server: program });
sockets.on('connection', (socket) =>
  socket.on('message', (data) => socket.send(`back: ${String(data as Buffer)}`)),
);

let cluster: 'there' | 'away' = 'there';
const dashboard = new Dashboard({
  cluster: 'test & try',
  view: async () => {
    if (cluster === 'away') throw new Error('no answer');
    return { namespaces: [SHOP], groups: GROUPS };
  },
  connect: async ({ port }) => {
    if (port !== ADMIN.port) throw new Error(`nobody listens on ${port}`);
    return connect((program.address() as AddressInfo).port, '127.0.0.1');
  },
});
let port: number;

beforeAll(async () => {
  program.listen(0, '127.0.0.1');
  await once(program, 'listening');
  port = Number(new URL(await dashboard.listen(0)).port);
});
afterAll(async () => {
  await dashboard[Symbol.asyncDispose]();
  sockets.close();
  program.close();
});

interface Asked {
  readonly host: string;
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

async function ask({ host, path = '/', method = 'GET', headers = {}, body = '' }: Asked) {
  const call = request({ port, host: '127.0.0.1', path, method, headers: { host, ...headers } });
  call.end(body);
  const [response] = (await once(call, 'response')) as [import('node:http').IncomingMessage];
  return { status: response.statusCode, body: await text(response), headers: response.headers };
}

describe('the dashboard', () => {
  test('lists pages by the names that they have on this machine, and what is said of pods as text', async () => {
    const { status, body, headers } = await ask({ host: `localhost:${port}` });
    expect(status).toBe(200);
    expect(headers['content-security-policy']).toContain("default-src 'none'");
    expect(body).toContain(
      `<a href="http://p15000.ztunnel-x.istio-system.localhost:${port}/config_dump">admin</a>`,
    );
    expect(body).toContain('test &amp; try');
    expect(body).toContain(
      '<tr><td>shop</td><td class="not-ready">2 of 3</td><td>edge/&lt;own&gt;</td></tr>',
    );
    expect(body).toContain('&lt;node&gt;');
    expect(body).toContain('<h2>Waypoints</h2>\n<p>none</p>');
  });

  test('passes requests on as the program expects them', async () => {
    const host = `${hostOf(ADMIN)}:${port}`;
    const headers = { origin: `http://${host}`, 'sec-fetch-site': 'same-origin' };
    const answer = await ask({
      host,
      path: '/logging?level=debug',
      method: 'POST',
      headers,
      body: 'x',
    });
    expect(JSON.parse(answer.body)).toEqual({
      method: 'POST',
      url: '/logging?level=debug',
      host: 'localhost:15000',
      origin: 'http://localhost:15000',
      body: 'x',
    });
  });

  test('passes WebSockets on', async () => {
    const headers = { host: `${hostOf(ADMIN)}:${port}` };
    const socket = new WebSocket(`ws://127.0.0.1:${port}/live`, { headers });
    await once(socket, 'open');
    socket.send('hello');
    const [message] = (await once(socket, 'message')) as [Buffer];
    expect(String(message)).toBe('back: hello');
    socket.close();
  });

  test('says why a page cannot be shown', async () => {
    const answer = await ask({ host: `${hostOf(NOBODY)}:${port}` });
    expect(answer).toMatchObject({
      status: 502,
      body: expect.stringContaining('nobody listens on 1'),
    });
    cluster = 'away';
    const list = await ask({ host: `localhost:${port}` });
    cluster = 'there';
    expect(list).toMatchObject({ status: 502, body: expect.stringContaining('no answer') });
  });

  test.each([
    ['another origin posts', { method: 'POST', headers: { origin: 'http://evil.example' } }],
    [
      'another site loads a picture',
      { headers: { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' } },
    ],
    [
      'another site posts a form',
      { method: 'POST', headers: { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' } },
    ],
    [
      'another site shows in a frame',
      {
        headers: {
          'sec-fetch-site': 'cross-site',
          'sec-fetch-mode': 'navigate',
          'sec-fetch-dest': 'iframe',
        },
      },
    ],
    ['no page knows where it comes from', { method: 'POST', headers: { origin: 'null' } }],
  ])('refuses what %s', async (_, asked) => {
    expect(await ask({ host: `${hostOf(ADMIN)}:${port}`, ...asked })).toMatchObject({
      status: 403,
    });
  });

  test('lets a link be followed', async () => {
    const headers = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' };
    expect(await ask({ host: `${hostOf(ADMIN)}:${port}`, headers })).toMatchObject({ status: 200 });
  });

  test.each([
    'evil.example',
    `${hostOf(ADMIN)}.evil.example`,
    'p0.a.b.localhost',
    'p70000.a.b.localhost',
  ])('has no page %s', async (host) => {
    expect(await ask({ host })).toMatchObject({ status: 421 });
  });

  test('refuses a WebSocket of another site', async () => {
    const headers = { host: `${hostOf(ADMIN)}:${port}`, origin: 'http://evil.example' };
    const socket = new WebSocket(`ws://127.0.0.1:${port}/`, { headers });
    const [error] = (await once(socket, 'error')) as [Error];
    expect(error.message).toContain('403');
  });
});

test('names with dots are read back as they were written', () => {
  const target = { namespace: 'shop', pod: 'a.b-c', port: 80 };
  expect(targetOf(hostOf(target))).toEqual(target);
});
