import { request } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { serveHttp } from './http-server.ts';

const BODY = 'istio_tcp_sent_bytes_total{reporter="source"} 1\n'.repeat(200);
let server: Awaited<ReturnType<typeof serveHttp>>;

beforeAll(async () => {
  server = await serveHttp(
    {
      '/metrics': () => ({ status: 200, body: BODY }),
      '/small': () => ({ status: 200, body: 'ok' }),
    },
    { host: '127.0.0.1', port: 0 },
  );
});
afterAll(() => server.close());

function get(
  path: string,
  accepted: string | null,
): Promise<{ encoding: string | undefined; length: string | undefined; body: Buffer }> {
  return new Promise((resolve, reject) => {
    const headers = accepted === null ? {} : { 'accept-encoding': accepted };
    request({ port: server.port, path, headers }, (response) => {
      const { 'content-encoding': encoding, 'content-length': length } = response.headers;
      buffer(response).then((body) => resolve({ encoding, length, body }), reject);
    })
      .on('error', reject)
      .end();
  });
}

test.for([
  ['gzip', 'gzip', gunzipSync],
  ['zstd', 'zstd', zstdDecompressSync],
  ['br', 'br', brotliDecompressSync],
  ['gzip;q=0.5, deflate', 'gzip', gunzipSync],
  ['zstd;q=0, gzip', 'gzip', gunzipSync],
  [null, undefined, (body: Buffer) => body],
  ['identity', undefined, (body: Buffer) => body],
] as const)(
  'who accepts %s gets %s, and it is the same text (C262)',
  async ([accepted, expected, decode]) => {
    const { encoding, length, body } = await get('/metrics', accepted);
    expect(encoding).toBe(expected);
    expect(Number(length)).toBe(body.length);
    expect(decode(body).toString()).toBe(BODY);
  },
);

test('a short answer is not compressed', async () => {
  expect((await get('/small', 'gzip')).encoding).toBeUndefined();
});
