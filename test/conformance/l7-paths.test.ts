import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  denying,
  ENVOY,
  freePort,
  httpBootstrap,
  type StaticProxy,
  startStaticProxy,
} from '../fixtures/static-proxy.ts';

/**
 * Spellings of paths, sent to a real Envoy and to our engine with the same configuration: a policy that Envoy enforces
 * must not be passed by writing the path in another way.
 */

const MODES: Readonly<Record<string, object>> = {
  none: { normalize_path: false },
  base: {},
  'merged slashes': { merge_slashes: true },
  'decoded and merged slashes': {
    merge_slashes: true,
    path_with_escaped_slashes_action: 'UNESCAPE_AND_FORWARD',
  },
  'decoded slashes': { path_with_escaped_slashes_action: 'UNESCAPE_AND_FORWARD' },
  'rejected escaped slashes': { path_with_escaped_slashes_action: 'REJECT_REQUEST' },
  'redirected escaped slashes': { path_with_escaped_slashes_action: 'UNESCAPE_AND_REDIRECT' },
};
const RUNS_PER_MODE = 500;

const SEPARATORS = ['/', '//', '\\', '%2f', '%2F', '%5c', '%5C', '%252f', '%c0%af'];
const DOTS = ['.', '..', '...', '%2e', '%2E%2e', '.%2e', '%252e%252e', '%c0%ae', '%%32e'];
const PARAMETERS = ['', '', ';', ';a=b', '%3b', ';/'];
const WORDS = [
  'admin',
  '%61dmin',
  'adm%69n',
  'Admin',
  'a',
  'x',
  '~',
  '%7E',
  '%41',
  '%zz',
  '%',
  '%1',
];
const ODD = [
  '|',
  '"',
  '{}',
  '<',
  '^',
  '`',
  '*',
  ':',
  '@',
  '%00',
  '%0a',
  '%7f',
  '%ff',
  '\xe9',
  '\x7f',
  'a b',
];
const ENDS = ['', '', '?', '?/../admin', '?a=%2f', '#', '#/../admin', '/', '/.', '/..'];
const STARTS = [
  '/',
  '/',
  '/',
  '/',
  '/',
  '//',
  '\\',
  '',
  'http://shop.test',
  'http://shop.test/',
  'HTTP://a@b:80/',
];
const WHOLE = ['*', '/*', 'http://', 'http:///x', 'http://shop.test\\admin', '%2fadmin', ';/admin'];

const segments = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...WORDS) },
  {
    weight: 4,
    arbitrary: fc
      .tuple(fc.constantFrom(...DOTS), fc.constantFrom(...PARAMETERS))
      .map((parts) => parts.join('')),
  },
  { weight: 1, arbitrary: fc.constantFrom(...ODD) },
);
const paths = fc
  .array(fc.tuple(segments, fc.constantFrom(...SEPARATORS)), { minLength: 1, maxLength: 4 })
  .map((parts) => parts.flat().join(''));
const targets = fc.oneof(
  {
    weight: 30,
    arbitrary: fc
      .tuple(
        fc.constantFrom(...STARTS),
        paths,
        fc.constantFrom('admin', '', 'b'),
        fc.constantFrom(...ENDS),
      )
      .map((parts) => parts.join('')),
  },
  { weight: 1, arbitrary: fc.constantFrom(...WHOLE) },
);

/** The origin answers with the target that it saw. */
interface Answer {
  readonly status: number;
  readonly location: string | null;
  readonly upstream: string | null;
}

/** Asks one request after the other, on the same connection while that lasts. */
class Client {
  readonly #port: number;
  #socket: Socket | null = null;

  constructor(port: number) {
    this.#port = port;
  }

  async ask(target: string): Promise<Answer> {
    const socket = this.#socket ?? connect({ port: this.#port, host: '127.0.0.1', noDelay: true });
    this.#socket = socket;
    socket.write(`GET ${target} HTTP/1.1\r\nHost: shop.test\r\n\r\n`, 'latin1');
    let text = '';
    for (;;) {
      const [chunk] = (await once(socket, 'data')) as [Buffer];
      text += chunk.toString('latin1');
      const [head = '', body] = text.split('\r\n\r\n');
      const length = Number(/^content-length: (\d+)/im.exec(head)?.[1]);
      if (body === undefined || body.length < length) continue;
      if (/^connection: close/im.test(head)) this.close();
      const status = Number(head.split(' ')[1]);
      const location = /^location: (.*?)\r?$/im.exec(head)?.[1] ?? null;
      return { status, location, upstream: status === 200 ? body : null };
    }
  }

  close(): void {
    this.#socket?.destroy();
    this.#socket = null;
  }
}

let origin: Server;
let proxies: readonly [envoy: StaticProxy, ours: StaticProxy];
const ports: Record<string, { envoy: number; ours: number }> = {};

async function startProxy(name: 'envoy' | 'ours', originPort: number): Promise<StaticProxy> {
  for (const mode of Object.keys(MODES)) {
    ports[mode] ??= { envoy: 0, ours: 0 };
    ports[mode][name] = await freePort();
  }
  const routes = [{ match: { prefix: '/' }, route: { cluster: 'origin', timeout: '0s' } }];
  const http_filters = denying({ url_path: { path: { prefix: '/admin' } } });
  return startStaticProxy(name === 'envoy' ? 'envoy' : 'waypoint', (port) =>
    httpBootstrap({ origin: originPort }, [
      { port, routes },
      ...Object.entries(MODES).map(([mode, options]) => ({
        port: ports[mode]![name],
        routes,
        manager: { http_filters, ...options },
      })),
    ]),
  );
}

/** Where Envoy merges slashes it leaves two of a path of nothing else. */
function told({ status, location, upstream }: Answer): string {
  const path = upstream?.replace(/^\/\/(?=\?|$)/, '/');
  return `${status} ${location ?? ''} ${path ?? ''}`;
}

/** As Envoy, or refused where Envoy lets `/%2e%2e;/admin` pass as `/..;/admin`, which it treats as `/admin` itself. */
function isAsEnvoy(envoy: Answer, ours: Answer): boolean {
  if (told(envoy) === told(ours)) return true;
  const isAmbiguous =
    envoy.status === 403 || /\/\.\.?;/.test(envoy.upstream ?? envoy.location ?? '');
  return ours.status === 400 && isAmbiguous;
}

describe.skipIf(ENVOY === undefined)(
  'a path in any spelling is treated as Envoy treats it (skipped where envoy is not installed)',
  () => {
    beforeAll(async () => {
      origin = createServer((request, response) => {
        response.end(request.url);
      }).listen(0, '127.0.0.1');
      await once(origin, 'listening');
      const { port } = origin.address() as AddressInfo;
      proxies = await Promise.all([startProxy('envoy', port), startProxy('ours', port)]);
    }, 40_000);

    afterAll(async () => {
      await Promise.all(proxies.map((proxy) => proxy.stop()));
      origin.close();
      origin.closeAllConnections();
    });

    test.for(Object.keys(MODES))('with %s', { timeout: 60_000 }, async (mode) => {
      const envoy = new Client(ports[mode]!.envoy);
      const ours = new Client(ports[mode]!.ours);
      const differences: string[] = [];
      for (const target of fc.sample(targets, { seed: 5, numRuns: RUNS_PER_MODE })) {
        const [expected, answer] = await Promise.all([envoy.ask(target), ours.ask(target)]);
        if (!isAsEnvoy(expected, answer)) {
          differences.push(`${target}: Envoy ${told(expected)}, ours ${told(answer)}`);
        }
      }
      envoy.close();
      ours.close();
      expect(differences).toEqual([]);
    });
  },
);
