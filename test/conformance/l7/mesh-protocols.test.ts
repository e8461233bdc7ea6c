import { once } from 'node:events';
import { createServer as createHttp2Server } from 'node:http2';
import { type AddressInfo, connect, createServer } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { exposeTelemetry } from '../../../packages/waypoint/src/telemetry/exposition.ts';
import { routeObject, serveDerived, serviceOf } from '../../fixtures/derived-waypoint.ts';
import { eventually } from '../../fixtures/eventually.ts';
import { call, connectGrpc, type GrpcClient, startGrpcServer } from '../../fixtures/grpc-echo.ts';
import type { ApiObject } from '../../fixtures/scripted-kubernetes-api.ts';
import { policyObject } from '../../fixtures/waypoint-process.ts';
import { backend, startShop, VIPS } from './shop.ts';

/** gRPC and bytes through what the control plane derives, and what is counted of it. */
const HELLO = [Buffer.from('hello')];

describe('a call of gRPC', () => {
  /** Through the waypoint to whoever listens at the port. */
  async function connectTo(port: number, objects: readonly ApiObject[]): Promise<GrpcClient> {
    const origin = { ip: '127.0.0.1', port };
    const services = serviceOf('cart', VIPS.cart, origin, [{ port: 80, name: 'grpc' }]);
    const waypoint = serveDerived([...services, ...objects]);
    const client = connectGrpc(await waypoint.portTo({ ip: VIPS.cart, port: 80 }));
    onTestFinished(() => client.close());
    return client;
  }

  test('that nobody answers in time is unavailable (L195)', async () => {
    const silent = createHttp2Server().on('stream', (stream) =>
      stream.on('error', () => undefined),
    );
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    onTestFinished(() => void silent.close());
    const rule = { ...backend('cart'), timeouts: { request: '200ms' } };
    const { port } = silent.address() as AddressInfo;
    const client = await connectTo(port, [routeObject('HTTPRoute', [rule])]);
    expect(await call(client, 'unary', HELLO)).toMatchObject({
      code: 14,
      details: 'upstream request timeout',
      messages: [],
    });
  });

  test('that a policy refuses is told so in its own words (L196)', async () => {
    const server = await startGrpcServer();
    onTestFinished(() => server.stop());
    const client = await connectTo(server.port, [policyObject({})]);
    expect(await call(client, 'unary', HELLO)).toMatchObject({
      code: 7,
      details: 'RBAC: access denied',
    });
    expect(server.metadata).toEqual([]);
  });
});

test('at a port of bytes a DENY of a path closes all that the rest of its rule takes (L148)', async () => {
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.on('data', (bytes) => socket.end(bytes));
  }).listen(0, '127.0.0.88');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const origin = { ip: '127.0.0.88', port: (server.address() as AddressInfo).port };
  const source = { principals: ['cluster.local/ns/shop/sa/client'] };
  const rule = { from: [{ source }], to: [{ operation: { paths: ['/private'] } }] };
  const waypoint = serveDerived([
    ...serviceOf('cart', VIPS.cart, origin, [{ port: 90, name: 'tcp' }]),
    policyObject({ action: 'DENY', rules: [rule] }),
  ]);
  const told = async (account: string): Promise<string> => {
    const at = await waypoint.portTo({ ip: VIPS.cart, port: 90 }, { account });
    const socket = connect({ port: at, host: '127.0.0.1' });
    socket.on('error', () => socket.destroy());
    let text = '';
    socket.on('data', (bytes: Buffer) => {
      text += bytes.toString();
    });
    socket.write('hello');
    await new Promise((resolve) => socket.once('close', resolve));
    return text;
  };
  expect(await told('client')).toBe('');
  expect(await told('other')).toBe('hello');
});

test('requests are counted as the waypoint saw them, with who asked whom and how (L175, P165)', async () => {
  const shop = await startShop([]);
  await shop.ask('/');
  const { telemetry } = shop.waypoint.engine.deps;
  await eventually(() => telemetry.snapshot().length > 0, { what: 'a request that is counted' });
  const identity = 'spiffe://cluster.local/ns/shop/sa/waypoint';
  const text = exposeTelemetry(telemetry.snapshot(), [], identity);
  const [line = ''] = text.match(/^istio_requests_total\{.*$/m) ?? [];
  const labels = Object.fromEntries(
    [...line.matchAll(/(\w+)="([^"]*)"/g)].map(([, ...pair]) => pair),
  );
  expect(line).toMatch(/ 1$/);
  expect(labels).toMatchObject({
    reporter: 'waypoint',
    source_workload: 'client',
    source_workload_namespace: 'shop',
    source_principal: 'spiffe://cluster.local/ns/shop/sa/client',
    destination_workload: 'cart-1',
    destination_workload_namespace: 'shop',
    destination_service: 'cart.shop.svc.cluster.local',
    destination_service_name: 'cart',
    destination_service_namespace: 'shop',
    request_protocol: 'http',
    response_code: '200',
    connection_security_policy: 'mutual_tls',
  });
});
