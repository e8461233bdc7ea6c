import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as grpc from '@grpc/grpc-js';
import { expect, onTestFinished, test } from 'vitest';
import { TestAuthority, type TestCertificate } from '../../fixtures/certificates.ts';
import {
  namespaceObject,
  podObject,
  type RunningControlPlane,
  startTestControlPlane,
} from '../../fixtures/control-plane.ts';
import { eventually } from '../../fixtures/eventually.ts';
import { startNameServer } from '../../fixtures/grpc-name-server.ts';
import type { ApiObject } from '../../fixtures/scripted-kubernetes-api.ts';
import { XdsClient } from '../../fixtures/xds-client.ts';

/** Applications that speak xDS by themselves: gRPC's own client of it (`@grpc/grpc-js-xds`), and real servers. */
const HOST = 'names.shop.svc.cluster.local';
const TARGET = `xds:///${HOST}:80`;
const PODS = { one: '127.0.0.2', two: '127.0.0.3' } as const;
const NODE = {
  id: 'sidecar~127.0.0.1~caller.shop~shop.svc.cluster.local',
  metadata: { GENERATOR: 'grpc', NAMESPACE: 'shop', LABELS: { app: 'caller' } },
};

function namesService(port: number): ApiObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace: 'shop', name: 'names', uid: 'names' },
    spec: {
      clusterIP: '10.96.0.10',
      clusterIPs: ['10.96.0.10'],
      selector: { app: 'names' },
      ports: [{ name: 'grpc', port: 80, targetPort: port, protocol: 'TCP' }],
    },
  };
}

const pod = (name: keyof typeof PODS): ApiObject =>
  podObject('shop', name, {
    ip: PODS[name],
    account: 'names',
    labels: { app: 'names', version: name },
  });

const rule = (trafficPolicy: object): ApiObject => ({
  apiVersion: 'networking.istio.io/v1',
  kind: 'DestinationRule',
  metadata: { namespace: 'shop', name: 'names', uid: 'names' },
  spec: {
    host: HOST,
    trafficPolicy,
    subsets: [
      { name: 'one', labels: { version: 'one' } },
      { name: 'two', labels: { version: 'two' } },
    ],
  },
});

const to = (subset: string, weight = 100): object => ({
  destination: { host: HOST, subset },
  weight,
});

const routes = (http: readonly object[]): ApiObject => ({
  apiVersion: 'networking.istio.io/v1',
  kind: 'VirtualService',
  metadata: { namespace: 'shop', name: 'names', uid: 'names' },
  spec: { hosts: [HOST], http },
});

interface Mesh {
  readonly plane: RunningControlPlane;
  readonly client: XdsClient;
}

async function startMesh(
  objects: readonly ApiObject[] = [],
  servers?: grpc.ServerCredentials,
  certificate?: NonNullable<ConstructorParameters<typeof XdsClient>[0]['certificate']>,
): Promise<Mesh> {
  const first = await startNameServer('one', `${PODS.one}:0`, servers);
  const second = await startNameServer('two', `${PODS.two}:${first.port}`, servers);
  for (const server of [first, second]) onTestFinished(() => server.stop());
  const plane = await startTestControlPlane([
    namespaceObject('shop'),
    namesService(first.port),
    pod('one'),
    pod('two'),
    ...objects,
  ]);
  const client = new XdsClient({
    controlPlanePort: plane.app.ports.grpc,
    node: NODE,
    ...(certificate && { certificate }),
  });
  return { plane, client };
}

test('calls go to the pods of a service by turns, by any of its names, and a pod that ends is left out', async () => {
  const { plane, client } = await startMesh();
  expect(await client.askMany(TARGET, 8)).toEqual(new Set(['one', 'two']));
  expect(await client.ask('xds:///names:80')).toMatch(/one|two/);
  plane.api.remove(pod('one'));
  await eventually(async () => {
    const answers = await client.askMany(TARGET, 8);
    return answers.size === 1 && answers.has('two');
  });
});

test('rules of a VirtualService choose subsets, and a change of them holds at once', async () => {
  const byHeader = { match: [{ headers: { version: { exact: 'two' } } }], route: [to('two')] };
  const { plane, client } = await startMesh([
    rule({}),
    routes([byHeader, { route: [to('one')], timeout: '4s', retries: { attempts: 0 } }]),
  ]);
  expect(await client.askMany(TARGET, 6)).toEqual(new Set(['one']));
  expect(await client.ask(TARGET, { version: 'two' })).toBe('two');
  plane.api.put(routes([{ route: [to('one', 0), to('two', 100)] }]));
  await eventually(async () => (await client.ask(TARGET)) === 'two');
  const abort = { grpcStatus: 'DATA_LOSS', percentage: { value: 100 } };
  plane.api.put(routes([{ fault: { abort }, route: [to('one')] }]));
  await eventually(async () => (await client.ask(TARGET)) === 'DATA_LOSS');
});

test('routes of the Gateway API hold for a client without a proxy', async () => {
  const { client } = await startMesh([
    {
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'HTTPRoute',
      metadata: { namespace: 'shop', name: 'names', uid: 'names' },
      spec: {
        parentRefs: [{ group: '', kind: 'Service', name: 'names', port: 80 }],
        rules: [
          {
            matches: [{ path: { type: 'PathPrefix', value: '/shop.Names' } }],
            backendRefs: [{ name: 'names', port: 80 }],
          },
        ],
      },
    },
  ]);
  expect(await client.ask(TARGET)).toMatch(/one|two/);
});

test('what nobody knows is not served, and calls of it fail', async () => {
  const { client } = await startMesh();
  expect(await client.ask('xds:///nobody.shop.svc.cluster.local:80')).toMatch(
    /UNAVAILABLE|DEADLINE_EXCEEDED/,
  );
});

test('mutual TLS of the mesh is spoken to the accounts of the service only, where a rule asks for it', async () => {
  using authority = new TestAuthority();
  const identity = (account: string): TestCertificate =>
    authority.issue(`spiffe://cluster.local/ns/shop/sa/${account}`);
  const directory = mkdtempSync(join(tmpdir(), 'aquifer-xds-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const file = (name: string, text: string): string => {
    writeFileSync(join(directory, name), text);
    return join(directory, name);
  };
  const { chain, key, roots } = identity('caller');
  const certificate = {
    certificate_file: file('cert.pem', chain),
    private_key_file: file('key.pem', key),
    ca_certificate_file: file('roots.pem', roots),
  };
  const server = identity('names');
  const pair = {
    cert_chain: Buffer.from(server.chain),
    private_key: Buffer.from(server.key),
  };
  const servers = grpc.ServerCredentials.createSsl(Buffer.from(roots), [pair], true);
  const mutual = { tls: { mode: 'ISTIO_MUTUAL' } };
  const { plane, client } = await startMesh([rule(mutual)], servers, certificate);
  expect(await client.ask(TARGET)).toMatch(/one|two/);
  plane.api.put(
    rule({ tls: { ...mutual.tls, subjectAltNames: ['spiffe://cluster.local/ns/shop/sa/other'] } }),
  );
  await eventually(async () => (await client.ask(TARGET)) === 'UNAVAILABLE');
});
