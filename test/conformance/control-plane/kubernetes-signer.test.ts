import { X509Certificate } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import {
  askedCertificate,
  knowWeb,
  NEW_KEY,
  openssl,
  signingRequest,
  temporaryFolder,
  WEB,
  WEB_POD,
} from '../../fixtures/asked-certificate.ts';
import {
  namespaceObject,
  type RunningControlPlane,
  startTestControlPlane,
} from '../../fixtures/control-plane.ts';
import type {
  RecordedWrite,
  ScriptedKubernetesApi,
} from '../../fixtures/scripted-kubernetes-api.ts';

/** A signer of the Kubernetes API makes the certificates of workloads; openssl plays it. */

/** With a root of its own, in `root.pem`. */
function signerFolder(): string {
  const folder = temporaryFolder();
  const files = ['-keyout', 'root.key', '-out', 'root.pem'];
  openssl(folder, 'req', '-x509', ...NEW_KEY, '-subj', '/O=r', ...files);
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
  const objects = [namespaceObject('istio-system'), WEB_POD];
  const prepare = (api: ScriptedKubernetesApi): void => {
    knowWeb(api);
    api.onWrite = sign(api, folder);
  };
  return startTestControlPlane(objects, prepare, {
    EXTERNAL_CA: 'ISTIOD_RA_KUBERNETES_API',
    K8S_SIGNER: 'example.com/mesh',
    EXTERNAL_CA_ROOTS: join(folder, 'root.pem'),
  });
}

test('the signer makes the certificate, once the control plane has approved who asks', async () => {
  const folder = signerFolder();
  const plane = await start(folder);
  const csr = signingRequest({ extensions: [`subjectAltName=URI:${WEB}`] });
  const certChain = await askedCertificate(plane, { csr });
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
  await expect(
    askedCertificate(plane, { csr: signingRequest({ extensions }) }),
  ).rejects.toMatchObject({
    code: status.INVALID_ARGUMENT,
  });
  expect(plane.api.writes.some(({ path }) => path.includes('signingrequests'))).toBe(false);
});

test('without roots of the signer nothing starts', async () => {
  const folder = signerFolder();
  rmSync(join(folder, 'root.pem'));
  await expect(start(folder)).rejects.toThrow('has no roots of the authority that signs workloads');
});
