import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip, zstdCompress } from 'node:zlib';

/** What a handler answers; `contentType` defaults to plain text. */
export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
  readonly contentType?: string;
}

/** Handles one path, any query: `url.searchParams` has it. */
export type HttpHandler = (request: {
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingMessage['headers'];
}) => HttpAnswer | Promise<HttpAnswer>;

export type HttpRoutes = Readonly<Record<string, HttpHandler>>;

const HEADER_TIMEOUT_MS = 2_000;
/** Below this a compressed answer saves no packet. */
const COMPRESS_FROM_BYTES = 1024;

/** In order of preference. Run on Node's thread pool; the levels are those that cost little. */
const ENCODINGS = {
  zstd: promisify(zstdCompress),
  gzip: promisify(gzip),
  br: (body: Buffer) =>
    promisify(brotliCompress)(body, { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } }),
} as const;

type Encoding = keyof typeof ENCODINGS;

/** A small server for admin, metrics and readiness. Always: bound when the promise resolves. */
export async function serveHttp(
  routes: HttpRoutes,
  address: { readonly host?: string; readonly port: number },
): Promise<{ readonly port: number; close(): void }> {
  const server = createServer({ headersTimeout: HEADER_TIMEOUT_MS }, (request, response) => {
    void answer(routes, request).then(async (given) => {
      const { status, contentType = 'text/plain; charset=utf-8' } = given;
      const { body, encoding } = await compressed(given.body, request);
      response.writeHead(status, {
        ...(body.length > 0 && { 'content-type': contentType }),
        ...(encoding !== null && { 'content-encoding': encoding, vary: 'accept-encoding' }),
        'content-length': body.length,
      });
      response.end(body);
    });
  });
  await listen(server, address);
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      server.close();
      server.closeIdleConnections();
    },
  };
}

async function compressed(
  text: string,
  { headers }: IncomingMessage,
): Promise<{ readonly body: Buffer; readonly encoding: Encoding | null }> {
  const body = Buffer.from(text);
  const accepted = String(headers['accept-encoding'] ?? '');
  const encoding = body.length < COMPRESS_FROM_BYTES ? null : chooseEncoding(accepted);
  return { body: encoding === null ? body : await ENCODINGS[encoding](body), encoding };
}

/** One that is named in the header (RFC 9110 section 12.5.3) and not with `q=0`. */
function chooseEncoding(accepted: string): Encoding | null {
  const offers = accepted.split(',').map((offer) => offer.trim().toLowerCase());
  const names = offers.filter((offer) => !/;\s*q=0(?:\.0*)?$/.test(offer));
  const wanted = new Set(names.map((offer) => offer.split(';')[0]!.trim()));
  return (Object.keys(ENCODINGS) as Encoding[]).find((name) => wanted.has(name)) ?? null;
}

function listen(server: Server, address: { host?: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(address.port, address.host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

async function answer(routes: HttpRoutes, request: IncomingMessage): Promise<HttpAnswer> {
  try {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const handler = routes[url.pathname];
    if (handler === undefined) return { status: 404, body: '' };
    return await handler({ method: request.method ?? 'GET', url, headers: request.headers });
  } catch (error) {
    return { status: 500, body: `${(error as Error).message}\n` };
  }
}
