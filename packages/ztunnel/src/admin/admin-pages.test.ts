import { readFileSync } from 'node:fs';
import { Readiness, serveHttp } from '@aquifer/runtime';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { adminPages } from './admin-pages.ts';
import { LogFilter } from './log-filter.ts';

const logFilter = new LogFilter('info');
const inForce: string[] = [];
let quits = 0;
let server: Awaited<ReturnType<typeof serveHttp>>;

beforeAll(async () => {
  const readiness = new Readiness(['proxy', 'state manager']);
  const pages = adminPages({
    configDump: () => ({ status: 200, body: '{}' }),
    logFilter,
    onLevelsChanged: () => inForce.push(logFilter.scopes),
    onQuit: () => {
      quits += 1;
    },
  });
  server = await serveHttp(
    {
      ...pages,
      '/healthz/ready': (request) => {
        readiness.done('proxy');
        readiness.done('state manager');
        return readiness.handler(request);
      },
    },
    { host: '127.0.0.1', port: 0 },
  );
});
afterAll(() => {
  server.close();
});

async function answer(method: string, path: string) {
  const response = await fetch(`http://127.0.0.1:${server.port}${path}`, { method });
  const { status, headers } = response;
  return {
    status,
    type: headers.get('content-type'),
    length: headers.get('content-length'),
    body: await response.text(),
  };
}

/** A recorded answer of ztunnel. */
function recorded(name: string) {
  const path = new URL(`../../../../test/fixtures/golden/ztunnel/${name}.txt`, import.meta.url);
  const [head = '', ...body] = readFileSync(path, 'utf8').replaceAll('\r', '').split('\n\n');
  const header = (field: string) => new RegExp(`^${field}: (.*)$`, 'm').exec(head)?.[1] ?? null;
  return {
    status: Number(head.split(' ')[1]),
    type: header('content-type'),
    length: header('content-length'),
    body: body.join('\n\n'),
  };
}

test.each([
  ['client.notfound', 'GET', '/nowhere'],
  ['client.ready', 'GET', '/healthz/ready'],
  ['client.logging', 'POST', '/logging?level=debug'],
  ['client.logging-bad', 'POST', '/logging?level=nonsense'],
])('%s is answered as recorded (C265)', async (name, method, path) => {
  expect(await answer(method, path)).toEqual(recorded(name));
});

test('levels are added to those in force, and forgotten by a reset (C265)', async () => {
  await answer('POST', '/logging?reset&level=ztunnel::proxy=trace');
  expect(inForce.at(-1)).toBe('hickory_server::server=off,proxy=trace,info');
  const { body } = await answer('POST', '/logging?level=access=off,warn');
  expect(body).toBe(
    'current log level is hickory_server::server=off,ztunnel::proxy=trace,access=off,warn\n',
  );
  await answer('POST', '/logging?reset=true');
  const changes = inForce.length;
  expect((await answer('POST', '/logging')).body).toContain('server=off,info\n');
  expect(inForce).toHaveLength(changes);
});

test('what changes something must be posted', async () => {
  for (const path of ['/logging?level=off', '/quitquitquit']) {
    expect((await answer('GET', path)).status).toBe(405);
  }
  expect(quits).toBe(0);
  expect(await answer('POST', '/quitquitquit')).toMatchObject({
    status: 200,
    body: 'shutdown now\n',
  });
  expect(quits).toBe(1);
});

test('the first page lists the others', async () => {
  const { status, type, body } = await answer('GET', '/');
  expect({ status, type }).toEqual({ status: 200, type: 'text/html; charset=utf-8' });
  for (const [, path] of body.matchAll(/href="([^"]+)"/g)) {
    expect((await answer('POST', `/${path}`)).status).toBe(200);
  }
});
