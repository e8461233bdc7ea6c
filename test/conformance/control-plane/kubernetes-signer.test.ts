import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { grpcMethods } from '@aquifer/wire';
import {
  IstioCertificateRequestSchema,
  IstioCertificateService,
} from '@aquifer/wire/gen/istio/ca_pb';
import { create } from '@bufbuild/protobuf';
import { status } from '@grpc/grpc-js';
import { expect, onTestFinished, test } from 'vitest';
import {
  namespaceObject,
  podObject,
  type RunningControlPlane,
  startTestControlPlane,
} from '../../fixtures/control-plane.ts';
import type {
  RecordedWrite,
  ScriptedKubernetesApi,
} from '../../fixtures/scripted-kubernetes-api.ts';

/** A signer of the Kubernetes API makes the certificates of workloads; openssl plays it. */
const METHOD = grpcMethods(IstioCertificateService).createCertificate;
const WEB = 'spiffe://cluster.local/ns/shop/sa/web';
const KEY = ['-nodes', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];

function openssl(folder: string, ...args: string[]): void {
  execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
}

/** With a root of its own, in `root.pem`. */
function signerFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'aquifer-signer-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  openssl(
    folder,
    'req',
    '-x509',
    ...KEY,
    '-keyout',
    'root.key',
    '-subj',
    '/O=r',
    '-out',
    'root.pem',
  );
  return folder;
}

/** Signs each request once it is approved. */
function sign(api: ScriptedKubernetesApi, folder: string): (write: RecordedWrite) => void {
  return ({ path }) => {
    const [, name] = /certificatesigningrequests\/([^/]+)\/approval$/.exec(path) ?? [];
    if (name === undefined) return;
    const asked = api.writes.find(
      ({ body }) => (body.metadata as { name?: string })?.name === name,
    );
    const { request } = asked!.body.spec as { request: string };
    writeFileSync(join(folder, 'in.csr'), Buffer.from(request, 'base64'));
    const by = ['-CA', 'root.pem', '-CAkey', 'root.key', '-CAcreateserial', '-days', '1'];
    const files = ['-in', 'in.csr', '-out', 'out.pem'];
    openssl(folder, 'x509', '-req', ...files, ...by, '-copy_extensions', 'copyall');
    api.put({
      apiVersion: 'certificates.k8s.io/v1',
      kind: 'CertificateSigningRequest',
      metadata: { name },
      status: { certificate: readFileSync(join(folder, 'out.pem')).toString('base64') },
    });
  };
}

function start(folder: string): Promise<RunningControlPlane> {
  const objects = [namespaceObject('istio-system'), podObject('shop', 'web', { account: 'web' })];
  const prepare = (api: ScriptedKubernetesApi): void => {
    const pod = { name: 'web', uid: 'uid-web' };
    api.tokens.set('web', { username: 'system:serviceaccount:shop:web', pod });
    api.onWrite = sign(api, folder);
  };
  return startTestControlPlane(objects, prepare, {
    EXTERNAL_CA: 'ISTIOD_RA_KUBERNETES_API',
    K8S_SIGNER: 'example.com/mesh',
    EXTERNAL_CA_ROOTS: join(folder, 'root.pem'),
  });
}

async function ask(plane: RunningControlPlane, folder: string, ...extensions: string[]) {
  const wanted = extensions.flatMap((extension) => ['-addext', extension]);
  openssl(folder, 'req', '-new', ...KEY, '-keyout', 'key', '-subj', '/', ...wanted, '-out', 'csr');
  const csr = readFileSync(join(folder, 'csr'), 'utf8');
  return plane.call(METHOD, create(IstioCertificateRequestSchema, { csr }), 'web');
}

test('the signer makes the certificate, once the control plane has approved who asks', async () => {
  const folder = signerFolder();
  const plane = await start(folder);
  const { certChain } = await ask(plane, folder, `subjectAltName=URI:${WEB}`);
  const leaf = new X509Certificate(certChain[0]!);
  expect(leaf.subjectAltName).toBe(`URI:${WEB}`);
  const root = readFileSync(join(folder, 'root.pem'), 'utf8');
  expect(leaf.verify(new X509Certificate(root).publicKey)).toBe(true);
  expect(certChain.at(-1)).toContain(root);
  expect(plane.app.rootBundle).toBe(certChain.at(-1));
  const requests = plane.api.writes.filter(({ path }) => path.includes('signingrequests'));
  expect(requests.map(({ method }) => method)).toEqual(['POST', 'PATCH', 'DELETE']);
  expect(requests[0]!.body).toMatchObject({
    spec: { signerName: 'example.com/mesh', expirationSeconds: 86_400 },
  });
});

test.for([
  { what: 'somebody else', extensions: [`subjectAltName=URI:${WEB}x`] },
  { what: 'two', extensions: [`subjectAltName=URI:${WEB},URI:${WEB}x`] },
  { what: 'a host', extensions: [`subjectAltName=URI:${WEB},DNS:a.test`] },
  { what: 'nobody', extensions: [] },
  {
    what: 'an authority',
    extensions: [`subjectAltName=URI:${WEB}`, 'basicConstraints=critical,CA:TRUE'],
  },
])('a request that names $what reaches no signer', async ({ extensions }) => {
  const folder = signerFolder();
  const plane = await start(folder);
  await expect(ask(plane, folder, ...extensions)).rejects.toMatchObject({
    code: status.INVALID_ARGUMENT,
  });
  expect(plane.api.writes.some(({ path }) => path.includes('signingrequests'))).toBe(false);
});

test('without roots of the signer nothing starts', async () => {
  const folder = signerFolder();
  rmSync(join(folder, 'root.pem'));
  await expect(start(folder)).rejects.toThrow('has no roots of the authority that signs workloads');
});
