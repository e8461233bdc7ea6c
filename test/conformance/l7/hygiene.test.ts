import { describe, expect, test } from 'vitest';
import { serveEngine, toOrigin } from './engine.ts';

/** Requests that are to be read in one way only. */
const MODES: Readonly<Record<string, object>> = {
  NONE: { normalize_path: false },
  BASE: {},
  MERGE_SLASHES: { merge_slashes: true },
  DECODE_AND_MERGE_SLASHES: {
    merge_slashes: true,
    path_with_escaped_slashes_action: 'UNESCAPE_AND_FORWARD',
  },
};
const EVERYTHING = { routes: [toOrigin()] };

const get = (path: string, ...headers: string[]): string =>
  `${[`GET ${path} HTTP/1.1`, 'Host: shop.test', ...headers, 'Connection: close'].join('\r\n')}\r\n\r\n`;

describe('a path', () => {
  test.for<[mode: string, path: string, upstream: string]>([
    ['NONE', '/app/../admin', '/app/../admin'],
    ['NONE', '/a//b/%61', '/a//b/%61'],
    ['BASE', '/app/../admin', '/admin'],
    ['BASE', '/xyz%30..//abc', '/xyz0..//abc'],
    ['BASE', '/app//../../admin', '/admin'],
    ['BASE', '/app/\\/\\/\\admin', '/app//////admin'],
    ['BASE', '/app%2Fadmin%5Cabc', '/app%2Fadmin%5Cabc'],
    ['MERGE_SLASHES', '/app//admin///abc', '/app/admin/abc'],
    ['MERGE_SLASHES', '/app%2Fadmin', '/app%2Fadmin'],
    ['DECODE_AND_MERGE_SLASHES', '/%2Fapp%5cadmin%5Cabc', '/app/admin/abc'],
    ['DECODE_AND_MERGE_SLASHES', '/%c0%2e%c0%2e/admin', '/%c0.%c0./admin'],
    ['DECODE_AND_MERGE_SLASHES', '/%252e/admin', '/%252e/admin'],
  ])('by %s is made of %s: %s (L166)', async ([mode, path, upstream]) => {
    const { askRaw, origin } = await serveEngine({ ...EVERYTHING, manager: MODES[mode]! });
    await askRaw(get(path));
    expect(origin.seen.map((request) => request.path)).toEqual([upstream]);
  });

  test.for(Object.keys(MODES).slice(1))('with a NUL is refused by %s (L167)', async (mode) => {
    const { askRaw, origin } = await serveEngine({ ...EVERYTHING, manager: MODES[mode]! });
    expect(await askRaw(get('/admin%00'))).toMatch(/^HTTP\/1\.1 400 /);
    expect(origin.seen).toEqual([]);
  });
});

test('a length beside chunks is refused, and what follows is not read (L168)', async () => {
  const { askRaw, origin } = await serveEngine(EVERYTHING);
  const answer = await askRaw(
    `POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${get('/')}`,
  );
  expect(answer.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 400']);
  expect(origin.seen).toEqual([]);
});

test('61 KiB of headers are too many (L169)', async () => {
  const { askRaw, origin } = await serveEngine(EVERYTHING);
  expect(await askRaw(get('/', `X-Long: ${'a'.repeat(61 * 1024)}`))).toMatch(/^HTTP\/1\.1 431 /);
  expect(await askRaw(get('/', `X-Long: ${'a'.repeat(59 * 1024)}`))).toMatch(/^HTTP\/1\.1 200 /);
  expect(origin.seen).toHaveLength(1);
});

test('what Connection names goes no further (L198)', async () => {
  const { askRaw, origin } = await serveEngine(EVERYTHING);
  await askRaw(
    'GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: x-secret, close\r\nX-Secret: 1\r\nX-Other: 1\r\n\r\n',
  );
  expect(origin.seen).toHaveLength(1);
  expect(origin.seen[0]?.headers).not.toHaveProperty('x-secret');
  expect(origin.seen[0]?.headers['x-other']).toEqual(['1']);
});
