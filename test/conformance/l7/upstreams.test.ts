import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createPlainServer } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { TestAuthority } from '../../fixtures/certificates.ts';
import { eventually } from '../../fixtures/eventually.ts';
import { serveEngine, toOrigin } from './engine.ts';

/** How endpoints are found and reached, in the Envoy configuration that ServiceEntries and DestinationRules become. */

const TLS_TYPE = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext';
const NAME = 'api.test';

let directory: string;
let authority: TestAuthority;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'aquifer-upstream-'));
  authority = new TestAuthority();
  writeFileSync(join(directory, 'ca.pem'), authority.rootPem);
  const { key, chain } = authority.issue('spiffe://td/ns/n/sa/client');
  writeFileSync(join(directory, 'client.key'), key);
  writeFileSync(join(directory, 'client.pem'), chain);
  return () => {
    authority[Symbol.dispose]();
    rmSync(directory, { recursive: true, force: true });
  };
});

function endpoint(address: string, port: number): object {
  const socket = { socket_address: { address, port_value: port } };
  return { lb_endpoints: [{ endpoint: { address: socket } }] };
}

/** A cluster named `secure` of a server of HTTPS, which answers with the name that it was called by and who called. */
async function secure(context: object, asksClients = false): Promise<object> {
  const { key, chain } = authority.issue('spiffe://td/ns/n/sa/server', { dnsName: NAME });
  const options = { key, cert: chain, ca: authority.rootPem, requestCert: asksClients };
  const server: Server = createServer(options, ({ socket }, response) => {
    const { servername, authorized } = socket as unknown as {
      readonly servername: string | false;
      readonly authorized: boolean;
    };
    response.end(`${servername} ${authorized}`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  return {
    connect_timeout: '5s',
    load_assignment: { cluster_name: 'secure', endpoints: [endpoint('127.0.0.1', port)] },
    transport_socket: {
      name: 'envoy.transport_sockets.tls',
      typed_config: { '@type': TLS_TYPE, ...context },
    },
  };
}

const roots = (names: readonly string[] = [], file: string = join(directory, 'ca.pem')) => ({
  combined_validation_context: {
    default_validation_context: { match_subject_alt_names: names.map((exact) => ({ exact })) },
    validation_context_sds_secret_config: { name: `file-root:${file}` },
  },
});

async function answerOf(context: object, asksClients = false): Promise<readonly [number, string]> {
  const clusters = { secure: await secure(context, asksClients) };
  const routes = [{ match: { prefix: '/' }, route: { cluster: 'secure', timeout: '0s' } }];
  const { ask } = await serveEngine({ clusters, routes });
  const { status, body } = await ask('/');
  return [status, body];
}

test('TLS to a server whose certificate is for one of the names (L108)', async () => {
  const context = { sni: NAME, common_tls_context: roots(['other.test', NAME]) };
  expect(await answerOf(context)).toEqual([200, `${NAME} false`]);
});

test.for([
  { what: 'is for nobody who is wanted', context: () => roots(['other.test']) },
  { what: 'the system does not believe', context: () => roots([], 'system') },
])('a server whose certificate $what gets no request (L108)', async ({ context }) => {
  const [status, body] = await answerOf({ sni: NAME, common_tls_context: context() });
  expect(status).toBe(503);
  expect(body).toContain('upstream connect error');
});

test('TLS to a server, whatever its certificate (L181)', async () => {
  expect(await answerOf({ common_tls_context: { validation_context: {} } })).toEqual([
    200,
    'false false',
  ]);
});

test('a server is shown the certificate that it asks for', async () => {
  const certificate = {
    name: `file-cert:${join(directory, 'client.pem')}~${join(directory, 'client.key')}`,
  };
  const context = { ...roots(), tls_certificate_sds_secret_configs: [certificate] };
  expect(await answerOf({ sni: NAME, common_tls_context: context }, true)).toEqual([
    200,
    `${NAME} true`,
  ]);
});

test.for(['STRICT_DNS', 'LOGICAL_DNS'])(
  'an endpoint of a %s cluster is found by its name',
  async (type) => {
    const { ask, engine, origin } = await serveEngine({ routes: [toOrigin({ cluster: 'named' })] });
    const named = {
      type,
      dns_lookup_family: 'V4_ONLY',
      load_assignment: { cluster_name: 'named', endpoints: [endpoint('localhost', origin.port)] },
    };
    engine.configure({ named }, { routes: [toOrigin({ cluster: 'named' })] });
    await eventually(async () => (await ask('/')).status === 200);
    expect(origin.seen.length).toBeGreaterThan(0);
  },
);

const HTTP_OPTIONS = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

test.for([
  { what: 'too old', common: { max_connection_duration: '0.1s' }, pauseMs: 200, connections: 2 },
  { what: 'idle for too long', common: { idle_timeout: '0.1s' }, pauseMs: 400, connections: 2 },
  { what: 'neither', common: { idle_timeout: '60s' }, pauseMs: 200, connections: 1 },
])('with a connection to an endpoint that is $what, requests take $connections', async (given) => {
  const { common, pauseMs, connections } = given;
  let opened = 0;
  const server = createPlainServer((_request, response) => response.end('ok'));
  server.on('connection', () => {
    opened += 1;
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const timed = {
    load_assignment: { cluster_name: 'timed', endpoints: [endpoint('127.0.0.1', port)] },
    typed_extension_protocol_options: {
      [HTTP_OPTIONS]: {
        '@type': `type.googleapis.com/${HTTP_OPTIONS}`,
        common_http_protocol_options: common,
        explicit_http_config: { http_protocol_options: {} },
      },
    },
  };
  const routes = [toOrigin({ cluster: 'timed' })];
  const { ask } = await serveEngine({ clusters: { timed }, routes });
  await ask('/');
  await setTimeout(pauseMs);
  await ask('/');
  expect(opened).toBe(connections);
});
