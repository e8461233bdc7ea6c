import { once } from 'node:events';
import { createServer, type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test, vi } from 'vitest';
import { Engine } from '../../../../test/fixtures/waypoint-engine.ts';
import { withoutLocal } from '../upstream/public-addresses.ts';
import { Cluster } from './cluster.ts';
import { Host } from './host.ts';
import { NamedHosts } from './named-hosts.ts';

const CACHE = { name: 'names' };
const CLUSTER = {
  cluster_type: {
    name: 'envoy.clusters.dynamic_forward_proxy',
    typed_config: {
      '@type':
        'type.googleapis.com/envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig',
      dns_cache_config: CACHE,
    },
  },
  lb_policy: 'CLUSTER_PROVIDED',
};

/** An origin that answers with the host it was asked for. */
async function startOrigin(): Promise<number> {
  const server = createServer((asked, answer) => answer.end(asked.headers.host));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

async function startEngine(addressesOf?: (name: string) => Promise<readonly string[]>) {
  const engine = new Engine(addressesOf && { addressesOf });
  onTestFinished(() => engine.close());
  await engine.listen();
  engine.configure({ names: CLUSTER as never }, {
    domains: ['*.domain.test'],
    routes: [{ match: { prefix: '/' }, route: { cluster: 'names' } }],
  } as never);
  return async (host: string): Promise<string> => {
    const call = request({ port: engine.port, headers: { host }, agent: false });
    const [answer] = (await once(call.end(), 'response')) as [IncomingMessage];
    const chunks = await answer.toArray();
    return `${answer.statusCode} ${Buffer.concat(chunks)}`;
  };
}

test('a request goes to the host that it is for, as far as routes let it', async () => {
  const port = await startOrigin();
  const asked: string[] = [];
  const ask = await startEngine(async (name) => {
    asked.push(name);
    return ['127.0.0.1'];
  });
  expect(await ask(`api.domain.test:${port}`)).toBe(`200 api.domain.test:${port}`);
  expect(await ask(`API.domain.test:${port}`)).toBe(`200 API.domain.test:${port}`);
  expect(await ask(`other.domain.test:${port}`)).toBe(`200 other.domain.test:${port}`);
  expect(asked).toEqual(['api.domain.test', 'other.domain.test']);
  expect(await ask(`elsewhere.test:${port}`)).toContain('404');
  expect(await ask(`127.0.0.1:${port}`)).toContain('404');
});

test('a name that nobody knows, or that only this machine has, is not reached', async () => {
  const ask = await startEngine();
  expect(await ask('nobody.domain.test:80')).toContain('503');
  expect(
    withoutLocal(['127.0.0.1', '0.0.0.0', '169.254.169.254', '::1', 'fe80::1', '::ffff:127.0.0.1']),
  ).toEqual([]);
  expect(withoutLocal(['192.0.2.7', '2001:db8::7'])).toEqual(['192.0.2.7', '2001:db8::7']);
});

test('names that are not used any more make room for others', () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const pool = { close: vi.fn() };
  const hosts = new NamedHosts(
    new Cluster('names'),
    (address) => new Host(address, pool as never),
    'any',
  );
  const isServed = (name: string): boolean =>
    hosts.to(name, 80).name === 'names' &&
    [...hosts.all()].some((host) => host.name === `${name}:80`);
  for (let n = 0; n < 1024; n++) hosts.to(`h${n}.domain.test`, 80);
  expect(isServed('one-more.domain.test')).toBe(false);
  vi.advanceTimersByTime(300_000);
  expect(isServed('one-more.domain.test')).toBe(true);
  expect([...hosts.all()]).toHaveLength(1);
  hosts.close();
});
