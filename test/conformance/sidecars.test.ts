/** What `aquifer compare` tells sidecars: Envoys and our own engine take it, and speak with each other. */
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  SIDECAR_CERTIFICATES,
  type SidecarEngine,
} from '../../packages/compare/src/workload/sidecar.ts';
import { sidecarBootstrap } from '../../packages/compare/src/workload/sidecar-bootstrap.ts';
import { TestAuthority } from '../fixtures/certificates.ts';
import { ENVOY, startStaticProxy } from '../fixtures/static-proxy.ts';

const NAMESPACE = 'shop';
const application = createServer((asked, answer) => answer.end(`${asked.method} ${asked.url}`));
const authority = new TestAuthority();
const folder = mkdtempSync(join(tmpdir(), 'aquifer-sidecars-'));
const cleanup = new AsyncDisposableStack();

beforeAll(async () => {
  application.listen(0, '127.0.0.1');
  await once(application, 'listening');
});
afterAll(async () => {
  await cleanup.disposeAsync();
  application.close();
  authority[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

/** Files of a certificate, where a sidecar has them. */
function certificatesOf(name: string, namespace: string): string {
  const directory = mkdtempSync(join(folder, `${name}-`));
  const { chain, key, roots } = authority.issue(
    `spiffe://cluster.local/ns/${namespace}/sa/default`,
  );
  writeFileSync(join(directory, 'cert-chain.pem'), chain, { mode: 0o644 });
  writeFileSync(join(directory, 'key.pem'), key);
  writeFileSync(join(directory, 'root-cert.pem'), roots);
  return directory;
}

interface Listener {
  name: string;
  address: { socket_address: { address: string; port_value: number } };
  filter_chains: { filter_chain_match?: { destination_port: number } }[];
}

interface Bootstrap {
  admin?: object;
  static_resources: {
    clusters: {
      name: string;
      type: string;
      load_assignment: { endpoints: { lb_endpoints: object[] }[] };
    }[];
    listeners: Listener[];
  };
}

/** Service that callers ask for → where it is. */
type Servers = Readonly<Record<string, number>>;

/** One half of a sidecar, on a port of this machine: nothing is redirected to it. */
function half(
  side: 'outbound' | 'inbound',
  engine: SidecarEngine,
  { port, servers, certificates }: { port: number; servers: Servers; certificates: string },
): object {
  const options = {
    ...{ engine, trustDomain: 'cluster.local', namespace: NAMESPACE, accounts: ['default'] },
    ports: Object.keys(servers).map((service) => ({ service, port: 80, targetPort: 8080 })),
    headlessName: (service: string) => `${service}-pods`,
    methods: ['GET'],
  };
  const json = JSON.stringify(sidecarBootstrap(options)).replaceAll(
    SIDECAR_CERTIFICATES,
    certificates,
  );
  const { static_resources: all } = JSON.parse(json) as Bootstrap;
  const [listener] = all.listeners.filter(({ name }) =>
    side === 'outbound' ? name === 'virtualOutbound' : name !== 'virtualOutbound',
  ) as [Listener];
  listener.address = { socket_address: { address: '127.0.0.1', port_value: port } };
  for (const { filter_chain_match: match } of listener.filter_chains) {
    if (match !== undefined) match.destination_port = port;
  }
  const clusters = all.clusters.filter(({ name }) => name.startsWith(side));
  for (const [i, cluster] of clusters.entries()) {
    const address = {
      socket_address: { address: '127.0.0.1', port_value: Object.values(servers)[i] },
    };
    cluster.type = 'STATIC';
    cluster.load_assignment.endpoints = [{ lb_endpoints: [{ endpoint: { address } }] }];
  }
  return { static_resources: { clusters, listeners: [listener] } };
}

async function start(
  side: 'outbound' | 'inbound',
  engine: SidecarEngine,
  { servers, namespace = NAMESPACE }: { servers: Servers; namespace?: string },
): Promise<number> {
  const certificates = certificatesOf(side, namespace);
  const proxy = await startStaticProxy(engine === 'envoy' ? 'envoy' : 'waypoint', (port) =>
    half(side, engine, { port, servers, certificates }),
  );
  cleanup.defer(() => proxy.stop());
  return proxy.port;
}

async function ask(port: number, host: string, method = 'GET') {
  const call = request({ port, host: '127.0.0.1', path: '/x', method, headers: { host } });
  call.end();
  const [response] = (await once(call, 'response')) as [import('node:http').IncomingMessage];
  return { status: response.statusCode, body: await text(response) };
}

describe.skipIf(ENVOY === undefined)('sidecars of both engines', () => {
  let servers: Servers;
  beforeAll(async () => {
    const own = { application: (application.address() as AddressInfo).port };
    const [ours, envoys, strange] = await Promise.all([
      start('inbound', 'aquifer', { servers: own }),
      start('inbound', 'envoy', { servers: own }),
      start('inbound', 'aquifer', { servers: own, namespace: 'other' }),
    ]);
    servers = { ours, envoys, strange };
  });

  test('speak with each other by mutual TLS, and allow the methods that they are told', async () => {
    const [us, envoy] = await Promise.all([
      start('outbound', 'aquifer', { servers }),
      start('outbound', 'envoy', { servers }),
    ]);
    for (const [caller, callee] of [
      [us, 'ours'],
      [us, 'envoys'],
      [envoy, 'ours'],
    ] as const) {
      expect(await ask(caller, callee)).toEqual({ status: 200, body: 'GET /x' });
      expect(await ask(caller, callee, 'DELETE')).toMatchObject({ status: 403 });
    }
    // Who serves has to be of the namespace, too.
    expect(await ask(us, 'strange')).toMatchObject({ status: 503 });
  });

  test('let nobody in of another namespace', async () => {
    const stranger = await start('outbound', 'aquifer', { servers, namespace: 'other' });
    expect(await ask(stranger, 'ours')).toMatchObject({ status: 403 });
    // Envoy is told to break the handshake off, our engine leaves it to the policy.
    expect(await ask(stranger, 'envoys')).toMatchObject({ status: 503 });
  });
});
