import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { denying } from '../../../../test/fixtures/static-proxy.ts';
import { Engine } from '../../../../test/fixtures/waypoint-engine.ts';

/** Upgrades of which somebody else is still deciding whether they may pass, while the policies change. */

const FILTERS = 'type.googleapis.com/envoy.extensions.filters.http';
const SECRET = 'a secret of thirty-two bytes, or more than that';

const ASKING = {
  name: 'envoy.filters.http.ext_authz',
  typed_config: {
    '@type': `${FILTERS}.ext_authz.v3.ExtAuthz`,
    transport_api_version: 'V3',
    http_service: { server_uri: { uri: 'http://check', cluster: 'check', timeout: '5s' } },
  },
};

const KEYS = [{ kty: 'oct', alg: 'HS256', k: Buffer.from(SECRET).toString('base64url') }];
const VERIFYING = {
  name: 'envoy.filters.http.jwt_authn',
  typed_config: {
    '@type': `${FILTERS}.jwt_authn.v3.JwtAuthentication`,
    providers: {
      one: {
        local_jwks: { inline_string: JSON.stringify({ keys: KEYS }) },
        payload_in_metadata: 'payload',
      },
    },
    rules: [{ match: { prefix: '/' }, requires: { provider_name: 'one' } }],
  },
};

/** What a token says, under a policy of this name. */
function allowing(policy: string): object {
  const matcher = {
    filter: 'envoy.filters.http.jwt_authn',
    path: [{ key: 'payload' }, { key: 'sub' }],
    value: { string_match: { exact: 'ann' } },
  };
  const rule = { permissions: [{ any: true }], principals: [{ metadata: matcher }] };
  return {
    name: 'envoy.filters.http.rbac',
    typed_config: {
      '@type': `${FILTERS}.rbac.v3.RBAC`,
      rules: { action: 'ALLOW', policies: { [policy]: rule } },
    },
  };
}

function token(): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${part({ alg: 'HS256' })}.${part({ sub: 'ann' })}`;
  return `${text}.${createHmac('sha256', SECRET).update(text).digest('base64url')}`;
}

const [DENY_ALL, ROUTER] = denying({ any: true });

/** Answers what it hears, once that has been waited for. */
async function answering(answer: string, whenAsked: () => Promise<void>): Promise<number> {
  const server = createServer((socket) => {
    socket
      .on('error', () => undefined)
      .on('data', () => {
        void whenAsked().then(() => socket.write(answer));
      });
  }).listen(0, '127.0.0.1');
  onTestFinished(() => {
    server.close();
  });
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** What a client hears that has asked for an upgrade, when the filters become `next` before it is decided about. */
async function heardAfter(next: readonly unknown[]): Promise<string> {
  const asked = Promise.withResolvers<void>();
  const decided = Promise.withResolvers<void>();
  const check = await answering('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n', () => {
    asked.resolve();
    return decided.promise;
  });
  const switching = 'HTTP/1.1 101 Yes\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n';
  const clusters = { check, origin: await answering(switching, () => Promise.resolve()) };
  const routes = [{ match: { prefix: '/' }, route: { cluster: 'origin', timeout: '0s' } }];
  const upgrades = { upgrade_configs: [{ upgrade_type: 'websocket' }] };
  const engine = new Engine();
  await engine.listen();
  onTestFinished(() => engine.close());
  const configure = (...filters: readonly unknown[]): void => {
    const manager = { ...upgrades, http_filters: [ASKING, VERIFYING, ...filters, ROUTER] };
    engine.configure(clusters, { routes, manager });
  };
  configure(allowing('before'));
  const client = connect(engine.port, '127.0.0.1');
  onTestFinished(() => {
    client.destroy();
  });
  const fields = `Host: shop\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nAuthorization: Bearer ${token()}`;
  client.write(`GET / HTTP/1.1\r\n${fields}\r\n\r\n`);
  await asked.promise;
  configure(...next);
  decided.resolve();
  const answer = await Promise.race([once(client, 'data'), once(client, 'close')]);
  return String(answer[0]);
}

test('one that the change lets pass, by its token, is not cut', async () => {
  expect(await heardAfter([allowing('after')])).toMatch(/^HTTP\/1.1 101 /);
});

test('one that the change denies is answered 403 and reaches no host', async () => {
  expect(await heardAfter([DENY_ALL])).toMatch(/^HTTP\/1.1 403 /);
});
