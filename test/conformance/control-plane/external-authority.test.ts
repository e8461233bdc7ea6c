import { X509Certificate } from 'node:crypto';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { status } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import {
  askedCertificate,
  knowWeb,
  NEW_KEY,
  openssl,
  temporaryFolder,
  WEB_POD,
} from '../../fixtures/asked-certificate.ts';
import {
  namespaceObject,
  type RunningControlPlane,
  startTestControlPlane,
} from '../../fixtures/control-plane.ts';
import { eventually } from '../../fixtures/eventually.ts';
import type { ApiObject } from '../../fixtures/scripted-kubernetes-api.ts';
import {
  GATEWAY_CLASS,
  gatewayObject,
  startWaypointProcess,
  untilReady,
  WAYPOINT_POD,
} from '../../fixtures/waypoint-process.ts';

/**
 * The control plane where another authority, such as istio-csr, is asked for certificates: what it shows, and the roots, are
 * files. openssl makes them.
 */
const OBJECTS = [namespaceObject('istio-system'), namespaceObject('shop'), WEB_POD];
const ROOT_MAP = 'istio-ca-root-cert';

/** `root.pem` and `root.key`, and `tls.crt` and `tls.key` of the control plane below them. */
function files(): string {
  const folder = temporaryFolder();
  const root = ['-keyout', 'root.key', '-out', 'root.pem', '-subj', '/O=elsewhere'];
  openssl(folder, 'req', '-x509', ...NEW_KEY, ...root);
  issueServing(folder, 'first');
  return folder;
}

function issueServing(folder: string, name: string): void {
  const names = 'subjectAltName=DNS:istiod.istio-system.svc';
  const made = ['-keyout', 'tls.key', '-out', 'tls.crt', '-subj', `/CN=${name}`];
  const signer = ['-CA', 'root.pem', '-CAkey', 'root.key', '-addext', names];
  const leaf = ['-addext', 'basicConstraints=critical,CA:FALSE'];
  openssl(folder, 'req', '-x509', ...NEW_KEY, ...signer, ...leaf, ...made);
}

function environment(folder: string): Readonly<Record<string, string>> {
  return {
    ENABLE_CA_SERVER: 'false',
    TLS_CERT_FILE: join(folder, 'tls.crt'),
    TLS_KEY_FILE: join(folder, 'tls.key'),
    CA_CERT_FILE: join(folder, 'root.pem'),
  };
}

function start(folder: string, objects: readonly ApiObject[] = OBJECTS) {
  return startTestControlPlane(objects, knowWeb, environment(folder));
}

/** Common name of what the TLS port shows. */
function shownBy({ app }: RunningControlPlane): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { ca: app.rootBundle, servername: 'istiod.istio-system.svc' };
    const target = { host: '127.0.0.1', port: app.ports.secureGrpc, ALPNProtocols: ['h2'] };
    const socket = connect({ ...target, ...options }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN));
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

const rootMaps = ({ api }: RunningControlPlane) =>
  api.writes.filter(({ path }) => path.endsWith(`/${ROOT_MAP}`));

test('it signs nothing, makes no key of its own, and shows the certificate of its files', async () => {
  const plane = await start(files());
  await expect(askedCertificate(plane)).rejects.toMatchObject({ code: status.UNIMPLEMENTED });
  expect(await shownBy(plane)).toBe('first');
  expect(plane.api.writes.filter(({ path }) => path.includes('/secrets'))).toEqual([]);
});

test('every namespace is given the roots, and a map of whoever else keeps them is left alone', async () => {
  const folder = files();
  const roots = readFileSync(join(folder, 'root.pem'), 'utf8');
  const others: ApiObject = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { namespace: 'shop', name: ROOT_MAP, labels: { 'istio.io/config': 'true' } },
    data: { 'root-cert.pem': `# kept by somebody else\n${roots}` },
  };
  const plane = await start(folder, [...OBJECTS, others]);
  await eventually(() => rootMaps(plane).length > 0);
  expect(rootMaps(plane).map(({ path }) => path)).toEqual([
    `/api/v1/namespaces/istio-system/configmaps/${ROOT_MAP}`,
  ]);
  expect(rootMaps(plane)[0]!.body).toMatchObject({ data: { 'root-cert.pem': roots } });
  plane.api.put({ ...others, data: { 'root-cert.pem': 'overwritten' } });
  await eventually(() => rootMaps(plane).some(({ path }) => path.includes('/shop/')));
});

test('new files are shown without a restart, and bad ones are named while the last good ones stay', async () => {
  const folder = files();
  const plane = await start(folder);
  issueServing(folder, 'second');
  await eventually(async () => (await shownBy(plane)) === 'second');
  copyFileSync(join(folder, 'root.key'), join(folder, 'tls.key'));
  const notice = `${join(folder, 'tls.key')} is not the key of ${join(folder, 'tls.crt')}`;
  const readiness = async () =>
    (await fetch(`http://127.0.0.1:${plane.app.ports.probe}/ready`)).text();
  await eventually(async () => (await readiness()).includes(notice));
  expect(await shownBy(plane)).toBe('second');
});

test.for(['tls.crt', 'tls.key', 'root.pem'])('without %s nothing starts', async (name) => {
  const folder = files();
  writeFileSync(join(folder, name), '');
  await expect(start(folder)).rejects.toThrow(join(folder, name));
});

test('a waypoint has its certificate from the other authority, and its configuration from the control plane', async () => {
  const folder = files();
  const read = (name: string) => readFileSync(join(folder, name), 'utf8');
  const pem = {
    'ca-cert.pem': read('root.pem'),
    'ca-key.pem': read('root.key'),
    'root-cert.pem': read('root.pem'),
    'cert-chain.pem': read('root.pem'),
  };
  const data = Object.fromEntries(
    Object.entries(pem).map(([key, text]) => [key, Buffer.from(text).toString('base64')]),
  );
  const metadata = { namespace: 'istio-system', name: 'cacerts' };
  const secret: ApiObject = { apiVersion: 'v1', kind: 'Secret', metadata, data };
  const ambient = { 'istio.io/use-waypoint': 'waypoint' };
  const objects = [gatewayObject('service'), WAYPOINT_POD];
  const plane = await startTestControlPlane(
    [namespaceObject('istio-system'), namespaceObject('shop', ambient), GATEWAY_CLASS, ...objects],
    ({ tokens }) => {
      const pod = { name: 'waypoint-0', uid: 'uid-waypoint-0' };
      tokens.set('wp', { username: 'system:serviceaccount:shop:waypoint', pod });
    },
    environment(folder),
  );
  // Another control plane plays the authority: it has the key of the root.
  const waypoint = await startWaypointProcess([...objects, secret], {
    XDS_ADDRESS: `istiod.istio-system.svc:${plane.app.ports.secureGrpc}`,
  });
  await untilReady(waypoint);
  const connected = await fetch(`http://127.0.0.1:${plane.app.ports.probe}/debug/connections`);
  expect(await connected.text()).toContain('waypoint-0.shop');
  const issued = waypoint.plane.logs.filter((line) => line.includes('certificate issued'));
  expect(issued.join()).toContain('spiffe://cluster.local/ns/shop/sa/waypoint');
});

test('the roots are a ClusterTrustBundle, too, where that is asked for, and it is restored', async () => {
  const plane = await startTestControlPlane(OBJECTS, knowWeb, {
    ENABLE_CLUSTER_TRUST_BUNDLE_API: 'true',
  });
  const name = 'istio.io:istiod-ca:root-cert';
  const path = `/apis/certificates.k8s.io/v1beta1/clustertrustbundles/${name}`;
  const written = () => plane.api.writes.filter((write) => write.path === path);
  await eventually(() => written().length > 0);
  const spec = { signerName: 'istio.io/istiod-ca', trustBundle: plane.app.rootBundle };
  expect(written()[0]!.body).toMatchObject({ kind: 'ClusterTrustBundle', spec });
  expect(new X509Certificate(spec.trustBundle).ca).toBe(true);
  const bundle = { apiVersion: 'certificates.k8s.io/v1beta1', kind: 'ClusterTrustBundle' };
  plane.api.put({ ...bundle, metadata: { name }, spec });
  const before = written().length;
  plane.api.put({ ...bundle, metadata: { name }, spec: { ...spec, trustBundle: 'none' } });
  await eventually(() => written().length > before);
});
