import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
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
  WEB_TOKEN,
} from '../../fixtures/asked-certificate.ts';
import {
  namespaceObject,
  podObject,
  type RunningControlPlane,
  startTestControlPlane,
} from '../../fixtures/control-plane.ts';
import { eventually } from '../../fixtures/eventually.ts';

const ZTUNNEL = podObject('istio-system', 'ztunnel-1', { account: 'ztunnel', uid: 'zt-1' });
const OBJECTS = [
  namespaceObject('istio-system'),
  namespaceObject('shop'),
  ZTUNNEL,
  WEB_POD,
  podObject('shop', 'far', { account: 'far', node: 'n2' }),
];
/** For somebody else's names, which must not matter. */
const OF_ANOTHER = {
  subject: '/CN=x',
  extensions: ['subjectAltName=URI:spiffe://cluster.local/ns/a/sa/b'],
};

function start(): Promise<RunningControlPlane> {
  return startTestControlPlane(OBJECTS, (api) => {
    const username = 'system:serviceaccount:istio-system:ztunnel';
    api.tokens.set('zt', { username, pod: { name: 'ztunnel-1', uid: 'zt-1' } });
    api.tokens.set('old', { username, pod: { name: 'ztunnel-1', uid: 'zt-0' } });
    knowWeb(api);
    api.tokens.set('foreign', { ...WEB_TOKEN, audiences: ['vault'] });
    api.tokens.set('for the API', { ...WEB_TOKEN, audiences: [] });
  });
}

test('a node proxy gets a certificate for a pod of its node (P161), for 24 hours unless it asks otherwise (P162)', async () => {
  const plane = await start();
  const csr = signingRequest(OF_ANOTHER);
  const certChain = await askedCertificate(plane, { token: 'zt', impersonate: WEB, csr });
  const leaf = new X509Certificate(certChain[0]!);
  expect(leaf.subjectAltName).toBe(`URI:${WEB}`);
  expect(leaf.checkIssued(new X509Certificate(plane.app.rootBundle))).toBe(true);
  expect(certChain.at(-1)).toBe(plane.app.rootBundle);
  const hours = (leaf.validToDate.getTime() - leaf.validFromDate.getTime()) / 3_600_000;
  expect(hours).toBeCloseTo(24 + 2 / 60, 2);
  const short = await askedCertificate(plane, { token: 'zt', impersonate: WEB, seconds: 60 });
  const shortLeaf = new X509Certificate(short[0]!);
  expect(shortLeaf.validToDate.getTime() - Date.now()).toBeLessThanOrEqual(60_000);
});

test('a workload that asks for itself gets its own identity', async () => {
  const csr = signingRequest(OF_ANOTHER);
  const certChain = await askedCertificate(await start(), { csr });
  expect(new X509Certificate(certChain[0]!).subjectAltName).toBe(`URI:${WEB}`);
});

test('identities are of the trust domain that the configuration of the mesh names, from when it names it', async () => {
  const plane = await start();
  plane.api.put({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { namespace: 'istio-system', name: 'istio' },
    data: { mesh: 'trustDomain: corp.example' },
  });
  const identity = async (): Promise<string | undefined> => {
    const [leaf] = await askedCertificate(plane);
    return new X509Certificate(leaf!).subjectAltName;
  };
  await expect.poll(identity).toBe('URI:spiffe://corp.example/ns/shop/sa/web');
});

const REFUSED = 'request impersonation authentication failure';

test.for([
  {
    who: 'a node proxy for a pod of another node',
    ask: { token: 'zt', impersonate: WEB.replace('web', 'far') },
  },
  {
    who: 'a node proxy for an account without pods',
    ask: { token: 'zt', impersonate: WEB.replace('web', 'no') },
  },
  {
    who: 'a node proxy for another trust domain',
    ask: { token: 'zt', impersonate: WEB.replace('cluster', 'evil') },
  },
  { who: 'a node proxy for what is no identity', ask: { token: 'zt', impersonate: 'spiffe://x' } },
  { who: 'a replaced node proxy', ask: { token: 'old', impersonate: WEB } },
  { who: 'a workload for another', ask: { token: 'web', impersonate: WEB } },
])('impersonation by $who is refused (P161)', async ({ ask: request }) => {
  await expect(askedCertificate(await start(), request)).rejects.toMatchObject({
    code: status.UNAUTHENTICATED,
    details: REFUSED,
  });
});

test.for([
  { what: 'no token', ask: { token: null }, code: status.UNAUTHENTICATED },
  { what: 'an unknown token', ask: { token: 'x' }, code: status.UNAUTHENTICATED },
  {
    what: 'a token for another audience',
    ask: { token: 'foreign' },
    code: status.UNAUTHENTICATED,
  },
  {
    what: 'a token for the API itself',
    ask: { token: 'for the API' },
    code: status.UNAUTHENTICATED,
  },
  { what: 'no CSR', ask: { token: 'web', csr: '' }, code: status.INVALID_ARGUMENT },
  {
    what: 'a lifetime over 90 days',
    ask: { token: 'web', seconds: 7_776_001 },
    code: status.INVALID_ARGUMENT,
  },
  {
    what: 'a negative lifetime',
    ask: { token: 'web', seconds: -1 },
    code: status.INVALID_ARGUMENT,
  },
])('a request with $what is refused (P162)', async ({ ask: request, code }) => {
  await expect(askedCertificate(await start(), request)).rejects.toMatchObject({ code });
});

test('a token of a deleted pod is refused', async () => {
  const plane = await start();
  plane.api.remove(ZTUNNEL);
  await eventually(
    () =>
      plane.app.publisher.current?.cluster.get('Pod', 'istio-system', 'ztunnel-1') === undefined,
  );
  await expect(askedCertificate(plane, { token: 'zt', impersonate: WEB })).rejects.toMatchObject({
    code: status.UNAUTHENTICATED,
    details: REFUSED,
  });
});

test('the root is kept in a Secret and published in every namespace', async () => {
  const plane = await start();
  const roots = await eventually(() => {
    const written = plane.api.writes.filter(({ path }) => path.endsWith('/istio-ca-root-cert'));
    return written.length === 2 ? written : null;
  });
  expect(roots.map(({ path }) => path.split('/')[4] ?? '').toSorted()).toEqual([
    'istio-system',
    'shop',
  ]);
  expect(roots[0]!.body).toMatchObject({ data: { 'root-cert.pem': plane.app.rootBundle } });
  const secret = plane.api.writes.find(({ path }) => path.endsWith('/secrets'));
  expect(secret!.body).toMatchObject({
    type: 'istio.io/ca-root',
    metadata: { name: 'istio-ca-secret' },
  });
});

test('an authority that cert-manager keeps in the Secret cacerts signs, and its root is in every namespace', async () => {
  const folder = temporaryFolder();
  const root = ['-keyout', 'root.key', '-subj', '/O=root', '-out', 'ca.crt'];
  openssl(folder, 'req', '-x509', ...NEW_KEY, ...root);
  const authority = ['-addext', 'basicConstraints=critical,CA:TRUE', '-subj', '/O=intermediate'];
  const signer = ['-CA', 'ca.crt', '-CAkey', 'root.key', '-keyout', 'tls.key', '-out', 'tls.crt'];
  openssl(folder, 'req', '-x509', ...NEW_KEY, ...authority, ...signer);
  const data = Object.fromEntries(
    ['tls.crt', 'tls.key', 'ca.crt'].map((name) => [
      name,
      readFileSync(join(folder, name)).toString('base64'),
    ]),
  );
  const plane = await startTestControlPlane(OBJECTS, (api) => {
    knowWeb(api);
    const metadata = { namespace: 'istio-system', name: 'cacerts' };
    api.put({ apiVersion: 'v1', kind: 'Secret', metadata, data });
  });
  const rootPem = readFileSync(join(folder, 'ca.crt'), 'utf8');
  expect(plane.app.rootBundle).toBe(rootPem);
  const certChain = await askedCertificate(plane);
  expect(certChain.slice(1)).toEqual([readFileSync(join(folder, 'tls.crt'), 'utf8'), rootPem]);
  await eventually(() =>
    ['istio-system', 'shop'].every((namespace) =>
      plane.api.writes.some(
        ({ path, body }) =>
          path === `/api/v1/namespaces/${namespace}/configmaps/istio-ca-root-cert` &&
          JSON.stringify(body.data) === JSON.stringify({ 'root-cert.pem': rootPem }),
      ),
    ),
  );
});
