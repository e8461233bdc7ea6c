import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { expect, onTestFinished, test } from 'vitest';
import { createSelfSignedRoot } from '../../../packages/control-plane/src/ca/authority.ts';
import {
  askedCertificate,
  knowWeb,
  openssl,
  temporaryFolder,
  WEB_POD,
} from '../../fixtures/asked-certificate.ts';
import { ChainAuthority } from '../../fixtures/certificate-chains.ts';
import {
  namespaceObject,
  type RunningControlPlane,
  startTestControlPlane,
} from '../../fixtures/control-plane.ts';
import { eventually } from '../../fixtures/eventually.ts';
import type { ApiObject, RecordedWrite } from '../../fixtures/scripted-kubernetes-api.ts';

const SECRETS = '/api/v1/namespaces/istio-system/secrets/';
const OBJECTS = [namespaceObject('istio-system'), namespaceObject('shop'), WEB_POD];

function chainRoot(name = 'root'): ChainAuthority {
  const root = ChainAuthority.root(name);
  onTestFinished(() => root[Symbol.dispose]());
  return root;
}

function secret(name: string, texts: Readonly<Record<string, string>>): ApiObject {
  const data = Object.fromEntries(
    Object.entries(texts).map(([key, text]) => [key, Buffer.from(text).toString('base64')]),
  );
  const metadata = { namespace: 'istio-system', name };
  return { apiVersion: 'v1', kind: 'Secret', metadata, data };
}

/** As `make -f Makefile.selfsigned.mk` of Istio writes it. */
function plugged(root: ChainAuthority, signer: ChainAuthority, more: Record<string, string> = {}) {
  return secret('cacerts', {
    'ca-cert.pem': signer.certificatePem,
    'ca-key.pem': signer.keyPem,
    'root-cert.pem': root.certificatePem,
    'cert-chain.pem': signer.certificatePem + root.certificatePem,
    ...more,
  });
}

function start(...secrets: readonly ApiObject[]): Promise<RunningControlPlane> {
  return startTestControlPlane(OBJECTS, (api) => {
    knowWeb(api);
    for (const each of secrets) api.put(each);
  });
}

/** Throws what openssl says against the chain. */
function verify(chain: readonly string[], roots: string): void {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'leaf.pem'), chain[0]!);
  writeFileSync(join(folder, 'rest.pem'), chain.slice(1, -1).join(''));
  writeFileSync(join(folder, 'roots.pem'), roots);
  const between = chain.length > 2 ? ['-untrusted', 'rest.pem'] : [];
  openssl(folder, 'verify', '-CAfile', 'roots.pem', ...between, 'leaf.pem');
}

/** What was last written of it into the namespace. */
function published(plane: RunningControlPlane, map: string, key: string): string | undefined {
  const path = `/api/v1/namespaces/shop/configmaps/${map}`;
  const last = plane.api.writes.findLast((write) => write.path === path);
  return (last?.body.data as Record<string, string> | undefined)?.[key];
}

const roots = (plane: RunningControlPlane) =>
  published(plane, 'istio-ca-root-cert', 'root-cert.pem');

async function readiness(plane: RunningControlPlane): Promise<string> {
  return (await fetch(`http://127.0.0.1:${plane.app.ports.probe}/ready`)).text();
}

test('a new intermediate signs without a restart, and the TLS port shows it', async () => {
  const root = chainRoot();
  const plane = await start(plugged(root, root.authority('first')));
  const before = await askedCertificate(plane);
  const second = root.authority('second');
  plane.api.put(plugged(root, second));
  const after = await eventually(async () => {
    const chain = await askedCertificate(plane);
    return chain[1] === second.certificatePem ? chain : null;
  });
  for (const chain of [before, after]) verify(chain, root.certificatePem);
  expect(await servingChain(plane)).toContain('second');
});

/** Common name of who signed what the TLS port shows. */
function servingChain(plane: RunningControlPlane): Promise<string> {
  return new Promise((resolve, reject) => {
    const ca = plane.app.rootBundle;
    const port = plane.app.ports.secureGrpc;
    const options = { host: '127.0.0.1', port, ca, servername: 'istiod.istio-system.svc' };
    const socket = connect({ ...options, ALPNProtocols: ['h2'] }, () => {
      resolve(String(socket.getPeerCertificate(true).issuerCertificate.subject.CN));
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

test('a new root is in every namespace beside the old one, before anything is signed below it', async () => {
  const [first, second] = [chainRoot('first'), chainRoot('second')];
  const plane = await start(plugged(first, first.authority('a')));
  await eventually(() => roots(plane) === first.certificatePem);
  plane.api.put(plugged(second, second.authority('b')));
  await eventually(() => roots(plane)?.includes(second.certificatePem));
  const chain = await askedCertificate(plane);
  verify(chain, first.certificatePem);
  expect(chain.at(-1)).toBe(roots(plane));
  expect(plane.logs.some((line) => line.includes('authority replaced'))).toBe(true);
});

test('a control plane that starts with another root trusts the one that was trusted before', async () => {
  const [first, second] = [chainRoot('first'), chainRoot('second')];
  const trusted = [{ certificate: first.certificatePem, trustedUntil: null }];
  const kept = secret('istio-ca-trusted-roots', { 'roots.json': JSON.stringify(trusted) });
  const plane = await start(plugged(second, second.authority('b')), kept);
  await eventually(() => roots(plane)?.includes(first.certificatePem));
  const chain = await askedCertificate(plane);
  verify(chain, second.certificatePem);
  const written = await eventually(() =>
    plane.api.writes.find(({ path }) => path === `${SECRETS}istio-ca-trusted-roots`),
  );
  expect(JSON.stringify(written.body)).not.toContain(Buffer.from('PRIVATE').toString('base64'));
});

test.for([
  {
    what: 'without a key',
    texts: { 'ca-key.pem': '' },
    says: 'Secret cacerts lacks ca-key.pem',
  },
  {
    what: 'that is no certificate',
    texts: { 'ca-cert.pem': 'none' },
    says: 'Secret cacerts: ca-cert.pem or ca-key.pem cannot be read',
  },
  {
    what: 'whose revocations cannot be read',
    texts: { 'ca-crl.pem': 'none' },
    says: 'Secret cacerts: ca-crl.pem is not certificate revocation lists in PEM',
  },
])('an authority $what is refused by name, and the one before goes on', async ({ texts, says }) => {
  const root = chainRoot();
  const plane = await start(plugged(root, root.authority('good')));
  plane.api.put(plugged(root, root.authority('bad'), texts));
  await eventually(async () => (await readiness(plane)).includes(says));
  expect(await readiness(plane)).toMatch(/^ready\n/);
  expect(plane.logs.filter((line) => line.includes(says))).toHaveLength(1);
  verify(await askedCertificate(plane), root.certificatePem);
  plane.api.put(plugged(root, root.authority('mended')));
  await eventually(async () => (await readiness(plane)) === 'ready\n');
});

test('revocations of the authority are in every namespace', async () => {
  const root = chainRoot();
  const signer = root.authority('signer');
  const revoked = signer.list(['0A']).toString();
  const plane = await start(plugged(root, signer, { 'ca-crl.pem': revoked }));
  const lists = () => published(plane, 'istio-ca-crl', 'ca-crl.pem');
  await expect.poll(lists).toBe(revoked);
  const more = signer.list(['0A', '0B']).toString();
  plane.api.put(plugged(root, signer, { 'ca-crl.pem': more }));
  await expect.poll(lists, { timeout: 10_000 }).toBe(more);
});

test('the root that the control plane made itself is renewed in time, with the same key', async () => {
  const { 'ca-cert.pem': old, 'ca-key.pem': pem } = rootThatEndsSoon();
  const plane = await start(secret('istio-ca-secret', { 'ca-cert.pem': old, 'ca-key.pem': pem }));
  const before = await askedCertificate(plane);
  const renewal = await eventually(() => writeTo(plane, 'istio-ca-secret'));
  const { data, metadata } = renewal.body as { data: Record<string, string>; metadata: object };
  expect(metadata).toHaveProperty('resourceVersion');
  expect(data).not.toHaveProperty('ca-key.pem');
  const renewed = Buffer.from(data['ca-cert.pem']!, 'base64').toString();
  verify(before, renewed);
  const stored = { 'ca-cert.pem': renewed, 'ca-key.pem': pem, 'root-cert.pem': renewed };
  plane.api.put(secret('istio-ca-secret', stored));
  await eventually(() => roots(plane)?.startsWith(renewed));
  verify(await askedCertificate(plane), old);
});

/** In a month, which of ten years is the last fifth. */
function rootThatEndsSoon() {
  return createSelfSignedRoot('cluster.local', new Date(Date.now() - 3620 * 86_400_000));
}

function writeTo(plane: RunningControlPlane, name: string): RecordedWrite | undefined {
  return plane.api.writes.find(({ path }) => path === `${SECRETS}${name}`);
}

test('a plugged-in authority that ends soon is warned of: in the log, at /ready, in metrics', async () => {
  const { 'ca-cert.pem': crt, 'ca-key.pem': pem } = rootThatEndsSoon();
  const plane = await start(secret('cacerts', { 'tls.crt': crt, 'tls.key': pem, 'ca.crt': crt }));
  const warning =
    /Secret cacerts: ca-cert\.pem ends on .* \(29 days left\); replace it before that/;
  expect(await readiness(plane)).toMatch(warning);
  expect(plane.logs.filter((line) => warning.test(line))).toHaveLength(1);
  const metrics = await fetch(`http://127.0.0.1:${plane.app.ports.monitoring}/metrics`);
  const [, left] = /^citadel_server_root_cert_expiry_seconds (\S+)$/m.exec(await metrics.text())!;
  expect(Number(left) / 86_400).toBeCloseTo(30, 0);
});
