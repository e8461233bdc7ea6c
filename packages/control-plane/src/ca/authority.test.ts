import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  X509Certificate,
} from 'node:crypto';
import { expect, test } from 'vitest';
import { CertificateAuthority, createSelfSignedRoot } from './authority.ts';
import { signCertificate } from './sign.ts';

const DAY_MS = 86_400_000;
const ROOT = createSelfSignedRoot('cluster.local');
const OTHER = createSelfSignedRoot('cluster.local');

/** An authority below `ROOT`, with its chain as Istio's Makefile writes it. */
function intermediate() {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const certificate = signCertificate(
    {
      publicKey: createPublicKey(privateKey),
      organization: 'Intermediate',
      uris: [],
      dnsNames: [],
      notBefore: new Date(Date.now() - DAY_MS),
      notAfter: new Date(Date.now() + DAY_MS),
      isAuthority: true,
    },
    {
      certificate: new X509Certificate(ROOT['ca-cert.pem']).raw,
      key: createPrivateKey(ROOT['ca-key.pem']),
    },
  );
  return {
    'ca-cert.pem': certificate,
    'ca-key.pem': privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    'cert-chain.pem': certificate + ROOT['ca-cert.pem'],
  };
}

test('an authority whose certificate leads to one of its roots is used', () => {
  const both = OTHER['ca-cert.pem'] + ROOT['ca-cert.pem'];
  const loaded = CertificateAuthority.load({ ...intermediate(), 'root-cert.pem': both });
  expect(loaded).toMatchObject({ ok: true, value: { rootBundle: both } });
  expect(CertificateAuthority.load(ROOT)).toMatchObject({ ok: true });
});

test.for([
  {
    what: 'whose root is another one',
    pem: { ...intermediate(), 'root-cert.pem': OTHER['ca-cert.pem'] },
    error: 'ca-cert.pem does not lead to a certificate of root-cert.pem',
  },
  {
    what: 'without a root',
    pem: { ...ROOT, 'root-cert.pem': 'none' },
    error: 'ca-cert.pem does not lead to a certificate of root-cert.pem',
  },
  {
    what: 'that has ended',
    pem: createSelfSignedRoot('cluster.local', new Date(Date.now() - 3651 * DAY_MS)),
    error: expect.stringMatching(/^ca-cert.pem ended on /),
  },
])('an authority $what is refused: nobody would trust what it signs', ({ pem, error }) => {
  expect(CertificateAuthority.load(pem)).toEqual({ ok: false, error });
});
